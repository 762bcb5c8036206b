"""A message to many groups: by an admin in WeChat, who is asked first, or by a business system; with its results."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
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
from services.groups.group_rows import active_rooms, every_group, named_group
from services.groups.groups import Groups
from services.messaging.messages import Body, Messages, text
from services.work.delivery_queue import Job

MINUTES: Final = 10  # that an admin has for 确认
BATCH: Final = 500  # ids in one query


@dataclass(frozen=True, slots=True)
class BroadcastRequest:
    """What is to be said where: in these groups (by number or code), in those with one of these tags, or in all.

    `account`: only in groups of this assistant ("" = of any). `run_at`: Unix seconds, 0 = now.
    """

    body: Body
    quns: Sequence[str | int] = ()
    tags: Sequence[str] = ()
    everywhere: bool = False
    account: str = ""
    run_at: float = 0

    def fingerprint(self) -> str:
        """The same for the same request."""
        parts = [self.body, list(self.quns), list(self.tags), self.everywhere, self.account, self.run_at]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(slots=True)
class BroadcastResult:
    """A broadcast with the state of each group; a group is sent once all of its rooms are."""

    broadcast: Broadcast
    groups: dict[int, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """queued, sending, or done once nothing is open any more."""
        states = set(self.groups.values())
        if not states & {WorkState.QUEUED, WorkState.SENDING}:
            return "done"
        return str(WorkState.QUEUED if states == {WorkState.QUEUED} else WorkState.SENDING)


class Broadcasts:
    """Broadcasts wait in the database, so that a restart between question and answer loses nothing."""

    def __init__(
        self,
        store: Store,
        groups: Groups,
        messages: Messages,
        state_of: Callable[[OutboxItem], str],
        audit: Audit,
        clock: Clock,
        *,
        all_in_memory: bool = True,
    ) -> None:
        """`all_in_memory`: whether the groups of every account are."""
        self._all_in_memory = all_in_memory
        self._store = store
        self._groups = groups
        self._messages = messages
        self._state_of = state_of
        self._audit = audit
        self._clock = clock
        self._writing = SingleFlight[str, int]()  # by idempotency key

    def targets(self, account: str) -> list[tuple[str, int]]:
        """The rooms of every active group of the account, each with its group's number."""
        mine = [qun for qun in self._groups if qun.account == account and qun.state == QunState.ACTIVE]
        return [(room.room_id, qun.number) for qun in mine for room in self._groups.rooms(qun) if room.room_id]

    def groups(self, account: str) -> int:
        """How many groups a broadcast goes to."""
        return len({number for _, number in self.targets(account)})

    # ---- by an admin in WeChat ----

    def ask(self, session: Session, account: str, by: str, text: str) -> None:
        """Keep a broadcast until it is confirmed; it takes the place of an earlier one, inside a transaction."""
        self._end(session, account, by, BroadcastState.CANCELLED)
        now = self._clock()
        session.add(Broadcast(account=account, by=by, text=text, expires_at=now + MINUTES * 60, created_at=now))

    async def waiting(self, account: str, by: str) -> Broadcast | None:
        """The broadcast of this admin that waits for an answer, be it late."""
        wanted = select(Broadcast).where(
            Broadcast.account == account, Broadcast.by == by, Broadcast.state == BroadcastState.ASKED
        )
        return await self._store.read(lambda s: s.exec(wanted.order_by(col(Broadcast.id).desc())).first())

    def is_late(self, broadcast: Broadcast) -> bool:
        """Whether its time for an answer is over."""
        return broadcast.expires_at <= self._clock()

    def cancel(self, session: Session, broadcast: Broadcast) -> None:
        """Send nothing, inside a transaction."""
        self._end(session, broadcast.account, broadcast.by, BroadcastState.CANCELLED)

    def send(self, session: Session, broadcast: Broadcast) -> int:
        """Promise it to every group, inside a transaction; returns to how many. A second time it does nothing."""
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
        """Promise it to every group it names; returns its id. With a key, one that came before is not promised again.

        NotFound for a group there is not; InvalidParameter when no group is left, or the key came with another request.
        """
        if key is None:
            return await self._store.write(lambda s: self._write(s, request, who, None))
        return await self._writing.run(
            key, lambda: self._promise_once(request, who, key), request=request.fingerprint()
        )

    async def _promise_once(self, request: BroadcastRequest, who: str, key: str) -> int:
        try:
            return await self._store.write(lambda s: self._once(s, request, who, key))
        except IntegrityError:  # at the same moment, by another process
            return await self._store.write(lambda s: self._once(s, request, who, key))

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
        if not self._all_in_memory:
            return _meant_rows(session, request)
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
        """Promise the message in every room of the active ones among these groups; to how many groups."""
        promised: list[tuple[Qun, str, Job]] = []
        how: dict[str, Any] = {"priority": Priority.BROADCAST, "run_at": broadcast.run_at}
        for qun in quns:
            ids = self._room_ids(session, qun) if qun.state == QunState.ACTIVE else []
            promised += [(qun, id, self._messages.say(session, qun.account, id, dict(body), **how)) for id in ids]
        write_bulk(session)  # which gives the messages their ids
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

    def _room_ids(self, session: Session, qun: Qun) -> list[str]:
        if not self._all_in_memory:
            return active_rooms(session, qun)
        return [room.room_id for room in self._groups.rooms(qun) if room.room_id]

    # ---- how it stands ----

    async def result(self, broadcast_id: int) -> BroadcastResult:
        """The broadcast with what came of it in each group; NotFound."""
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
        for target in targets:  # a message that was pruned since was done long ago
            states[target.number].add(messages.get(target.message, WorkState.SENT))
        return BroadcastResult(broadcast, {number: _together(found) for number, found in states.items()})


def _meant_rows(session: Session, request: BroadcastRequest) -> list[Qun]:
    """The groups that are meant, of every account, whichever process serves it."""
    if request.everywhere:
        return list(every_group(session))
    if request.tags:
        tagged = select(QunTag.number).where(col(QunTag.tag).in_(request.tags)).distinct()
        return [session.get_one(Qun, number) for number in session.exec(tagged).all()]
    return list({qun.number: qun for qun in (named_group(session, name) for name in request.quns)}.values())


def _together(states: set[str]) -> str:
    """The state of a group whose rooms stand so."""
    if states & {WorkState.FAILED, WorkState.UNKNOWN}:
        return WorkState.FAILED
    return next(iter(states)) if len(states) == 1 else WorkState.SENDING
