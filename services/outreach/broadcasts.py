"""Broadcasts to groups, by an admin in WeChat after a confirmation or by a business system, and their results."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from concurrency import SingleFlight
from errors import InvalidParameter, NotFound
from models.bulk_insert import write_bulk
from models.db import Store
from models.durable import OutboxItem, Priority, WorkState
from models.groups import Qun, QunState, QunTag
from models.rules import Broadcast, BroadcastState, BroadcastTarget
from services.accounts.audit import Audit
from services.clock import Clock
from services.groups.groups import Groups
from services.messaging.messages import Body, Messages, text
from services.work.delivery_queue import Job

MINUTES: Final = 10  # minutes that an admin has to confirm
BATCH: Final = 500  # ids per query


@dataclass(frozen=True, slots=True)
class BroadcastRequest:
    """A broadcast to these groups (by number or code), to those with one of these tags, or to all.

    `account`: only groups of this assistant ("" = any). `run_at`: Unix seconds, 0 = now.
    """

    body: Body
    quns: Sequence[str | int] = ()
    tags: Sequence[str] = ()
    everywhere: bool = False
    account: str = ""
    run_at: float = 0

    def fingerprint(self) -> str:
        """Return a hash that is equal for equal requests."""
        parts = [self.body, list(self.quns), list(self.tags), self.everywhere, self.account, self.run_at]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(slots=True)
class BroadcastResult:
    """A broadcast with the state of each group. A group is sent once all its rooms are."""

    broadcast: Broadcast
    groups: dict[int, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """queued, sending, or done if no message is open."""
        states = set(self.groups.values())
        if not states & {WorkState.QUEUED, WorkState.SENDING}:
            return "done"
        return str(WorkState.QUEUED if states == {WorkState.QUEUED} else WorkState.SENDING)


class Broadcasts:
    """Broadcasts are stored, so a restart between question and confirmation loses nothing."""

    def __init__(
        self,
        store: Store,
        groups: Groups,
        messages: Messages,
        state_of: Callable[[OutboxItem], str],
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._store = store
        self._groups = groups
        self._messages = messages
        self._state_of = state_of
        self._audit = audit
        self._clock = clock
        self._writing = SingleFlight[str, int]()  # by idempotency key

    def targets(self, account: str) -> list[tuple[str, int]]:
        """Return (room id, group number) for all rooms of the account's active groups."""
        mine = [qun for qun in self._groups if qun.account == account and qun.state == QunState.ACTIVE]
        return [(room.room_id, qun.number) for qun in mine for room in self._groups.rooms(qun) if room.room_id]

    def groups(self, account: str) -> int:
        """Return the number of groups that a broadcast of the account reaches."""
        return len({number for _, number in self.targets(account)})

    # ---- by an admin in WeChat ----

    def ask(self, session: Session, account: str, by: str, text: str) -> None:
        """Store a broadcast until it is confirmed, replacing an earlier one, inside a transaction."""
        self._end(session, account, by, BroadcastState.CANCELLED)
        now = self._clock()
        session.add(Broadcast(account=account, by=by, text=text, expires_at=now + MINUTES * 60, created_at=now))

    async def waiting(self, account: str, by: str) -> Broadcast | None:
        """Return the admin's broadcast that waits for confirmation, even if it has expired."""
        wanted = select(Broadcast).where(
            Broadcast.account == account, Broadcast.by == by, Broadcast.state == BroadcastState.ASKED
        )
        return await self._store.read(lambda s: s.exec(wanted.order_by(col(Broadcast.id).desc())).first())

    def is_late(self, broadcast: Broadcast) -> bool:
        """Whether the time for confirmation is over."""
        return broadcast.expires_at <= self._clock()

    def cancel(self, session: Session, broadcast: Broadcast) -> None:
        """Cancel the broadcast, inside a transaction."""
        self._end(session, broadcast.account, broadcast.by, BroadcastState.CANCELLED)

    def send(self, session: Session, broadcast: Broadcast) -> int:
        """Queue the broadcast for all groups, inside a transaction; return their number, or 0 if it is not waiting."""
        if not self._end(session, broadcast.account, broadcast.by, BroadcastState.SENT):
            return 0
        quns = [qun for qun in self._groups if qun.account == broadcast.account]
        return self._promise(session, broadcast, text(broadcast.text), quns, f"person:{broadcast.by}")

    def _end(self, session: Session, account: str, by: str, state: str) -> bool:
        mine = (col(Broadcast.account) == account) & (col(Broadcast.by) == by)
        still = col(Broadcast.state) == BroadcastState.ASKED
        return session.connection().execute(update(Broadcast).where(mine, still).values(state=state)).rowcount > 0

    # ---- by a business system ----

    async def promise(self, request: BroadcastRequest, who: str, key: str | None) -> int:
        """Queue the broadcast for all groups it names and return its id. A request with a known key is not queued
        again.

        Raises NotFound for an unknown group; InvalidParameter if there is no active group, or the key belongs to
        another request.
        """
        if key is None:
            return await self._store.write(lambda s: self._write(s, request, who, None))
        return await self._writing.run(
            key, lambda: self._store.write(lambda s: self._once(s, request, who, key)), request=request.fingerprint()
        )

    def _once(self, session: Session, request: BroadcastRequest, who: str, key: str) -> int:
        kept = session.exec(select(Broadcast).where(Broadcast.idempotency_key == key)).first()
        if kept is None:
            return self._write(session, request, who, key)
        if kept.fingerprint != request.fingerprint():
            raise InvalidParameter("the Idempotency-Key came with another broadcast")
        return kept.id or 0

    def _write(self, session: Session, request: BroadcastRequest, who: str, key: str | None) -> int:
        quns = [qun for qun in self._meant(session, request) if request.account in ("", qun.account)]
        broadcast = Broadcast(
            account=request.account,
            by=who,
            text=str(request.body.get("text", "")),
            state=BroadcastState.SENT,
            expires_at=0,
            created_at=self._clock(),
            body=json.dumps(request.body, ensure_ascii=False),
            run_at=request.run_at,
            idempotency_key=key,
            fingerprint=request.fingerprint(),
        )
        session.add(broadcast)
        session.flush()
        if not self._promise(session, broadcast, request.body, quns, who):
            raise InvalidParameter("no group to send to")
        return broadcast.id or 0

    def _meant(self, session: Session, request: BroadcastRequest) -> list[Qun]:
        if request.everywhere:
            return list(self._groups)
        if request.tags:
            tagged = select(QunTag.number).where(col(QunTag.tag).in_(request.tags)).distinct()
            found = [self._groups.by_number(number) for number in session.exec(tagged).all()]
            return [qun for qun in found if qun is not None]
        return list({qun.number: qun for qun in map(self._one, request.quns)}.values())

    def _one(self, name: str | int) -> Qun:
        qun = self._groups.named(name)
        if qun is None:
            raise NotFound(f"group {name}")
        return qun

    def _promise(self, session: Session, broadcast: Broadcast, body: Body, quns: Sequence[Qun], who: str) -> int:
        """Queue the message in every room of the active groups among `quns`; return the number of groups."""
        promised: list[tuple[Qun, str, Job]] = []
        how: dict[str, Any] = {"priority": Priority.BROADCAST, "run_at": broadcast.run_at}
        for qun in quns:
            rooms = self._groups.rooms(qun) if qun.state == QunState.ACTIVE else []
            ids = [room.room_id for room in rooms if room.room_id]
            promised += [(qun, id, self._messages.say(session, qun.account, id, dict(body), **how)) for id in ids]
        write_bulk(session)  # the messages need their ids
        session.add_all(
            BroadcastTarget(
                broadcast=broadcast.id or 0, account=qun.account, number=qun.number, room_id=room_id, message=job.id
            )
            for qun, room_id, job in promised
        )
        count = len({qun.number for qun, _, _ in promised})
        if count:
            account = broadcast.account or promised[0][0].account
            self._audit.note(session, account, "broadcast", who, str(broadcast.id), "done", groups=str(count))
        return count

    # ---- results ----

    async def result(self, broadcast_id: int) -> BroadcastResult:
        """Return the broadcast with the result of each group; raise NotFound."""
        found = await self._store.read(lambda s: self._result(s, broadcast_id))
        if found is None:
            raise NotFound(f"broadcast {broadcast_id}")
        return found

    def _result(self, session: Session, broadcast_id: int) -> BroadcastResult | None:
        broadcast = session.get(Broadcast, broadcast_id)
        if broadcast is None or broadcast.state != BroadcastState.SENT:
            return None
        wanted = select(BroadcastTarget).where(BroadcastTarget.broadcast == broadcast_id)
        targets = session.exec(wanted.order_by(col(BroadcastTarget.number))).all()
        messages: dict[int, str] = {}
        for at in range(0, len(targets), BATCH):
            ids = [target.message for target in targets[at : at + BATCH]]
            items = session.exec(select(OutboxItem).where(col(OutboxItem.id).in_(ids))).all()
            messages |= {item.id or 0: self._state_of(item) for item in items}
        states: defaultdict[int, set[str]] = defaultdict(set)
        for target in targets:  # the message of a pruned row was finished long ago
            states[target.number].add(messages.get(target.message, WorkState.SENT))
        return BroadcastResult(broadcast, {number: _together(found) for number, found in states.items()})


def _together(states: set[str]) -> str:
    """Combine the states of a group's rooms."""
    if states & {WorkState.FAILED, WorkState.UNKNOWN}:
        return WorkState.FAILED
    return next(iter(states)) if len(states) == 1 else WorkState.SENDING
