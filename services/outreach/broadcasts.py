"""A message to many groups or friends: by an admin in WeChat, who is asked first, in the console, or by a business
system."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from concurrency import SingleFlight
from errors import InvalidParameter, NotFound
from models.bulk_insert import write_bulk
from models.cluster import AccountLease
from models.db import Store
from models.durable import Priority
from models.groups import Qun, QunState, QunTag
from models.rules import Broadcast, BroadcastState, BroadcastTarget
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.clock import Clock
from services.groups.group_rows import active_rooms, every_group, named_group
from services.groups.groups import Groups
from services.messaging.messages import Body, Messages, text
from services.outreach.broadcast_types import NO_GROUP, BroadcastRequest, Friend, Target

MINUTES: Final = 10  # that an admin has for 确认
MARK: Final = "broadcast"  # in the messages of a broadcast whose admin is told the result: its id


class Broadcasts:
    """Broadcasts are stored, so a restart between question and confirmation loses nothing."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        messages: Messages,
        audit: Audit,
        clock: Clock,
        *,
        all_in_memory: bool = True,
    ) -> None:
        """`all_in_memory`: whether the groups of all accounts are in memory."""
        self._all_in_memory = all_in_memory
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._messages = messages
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
        targets = self._targets(session, quns)
        body = text(broadcast.text) | {MARK: broadcast.id}
        return self._promise(session, broadcast, body, targets, f"person:{broadcast.by}")

    def _end(self, session: Session, account: str, by: str, state: str) -> bool:
        mine = (col(Broadcast.account) == account) & (col(Broadcast.by) == by)
        still = col(Broadcast.state) == BroadcastState.ASKED
        return session.connection().execute(update(Broadcast).where(mine, still).values(state=state)).rowcount > 0

    # ---- by a business system, or in the console ----

    async def promise(self, request: BroadcastRequest, who: str, key: str | None) -> int:
        """Queue the broadcast for every named group and friend; return its id.

        A repeated key queues nothing again. Raises NotFound for an unknown group or friend, and
        InvalidParameter if there is no target or the key was used for another request.
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
            raise InvalidParameter("the Idempotency-Key was used for another broadcast")
        return kept.id or 0

    def _write(self, session: Session, request: BroadcastRequest, who: str, key: str | None) -> int:
        quns = [qun for qun in self._meant(session, request) if request.account in ("", qun.account)]
        friends = [self._friend(session, friend) for friend in dict.fromkeys(request.friends)]
        targets = [*self._targets(session, quns), *friends]
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
        if not self._promise(session, broadcast, request.body, targets, who):
            raise InvalidParameter("nobody to send to")
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

    def _targets(self, session: Session, quns: Sequence[Qun]) -> list[Target]:
        """Return every room of the active groups among `quns`."""
        active = [qun for qun in quns if qun.state == QunState.ACTIVE]
        return [Target(qun.account, qun.number, id) for qun in active for id in self._room_ids(session, qun)]

    def _friend(self, session: Session, friend: Friend) -> Target:
        account, contact_id = friend
        is_away = not self._all_in_memory and self._accounts.find(account) is None
        if is_away and session.get(AccountLease, account) is not None:
            return Target(account, NO_GROUP, contact_id)  # only the process that serves the account knows its friends
        contact = self._accounts.get(account).directory.contacts.get(contact_id)
        if contact is None or not contact.friend or contact.official:
            raise NotFound(f"friend {contact_id}")
        return Target(account, NO_GROUP, contact_id)

    def _promise(self, session: Session, broadcast: Broadcast, body: Body, targets: Sequence[Target], who: str) -> int:
        """Queue the message for every target; return the number of groups and friends."""
        how: dict[str, Any] = {"priority": Priority.BROADCAST, "run_at": broadcast.run_at}
        jobs = [self._messages.say(session, one.account, one.conversation, dict(body), **how) for one in targets]
        write_bulk(session)  # which gives the messages their ids
        session.add_all(
            BroadcastTarget(
                broadcast=broadcast.id or 0,
                account=one.account,
                number=one.number,
                room_id=one.conversation,
                message=job.id,
            )
            for one, job in zip(targets, jobs, strict=True)
        )
        groups = len({one.number for one in targets if one.number != NO_GROUP})
        friends = sum(one.number == NO_GROUP for one in targets)
        if targets:
            account = broadcast.account or targets[0].account
            detail = {"groups": str(groups), **({"friends": str(friends)} if friends else {})}
            self._audit.note(session, account, "broadcast", who, str(broadcast.id), "done", **detail)
        return groups + friends

    def _room_ids(self, session: Session, qun: Qun) -> list[str]:
        if not self._all_in_memory:
            return active_rooms(session, qun)
        return [room.room_id for room in self._groups.rooms(qun) if room.room_id]


def _meant_rows(session: Session, request: BroadcastRequest) -> list[Qun]:
    """Return the selected groups of all accounts, from the database."""
    if request.everywhere:
        return list(every_group(session))
    if request.tags:
        tagged = select(QunTag.number).where(col(QunTag.tag).in_(request.tags)).distinct()
        return [session.get_one(Qun, number) for number in session.exec(tagged).all()]
    return list({qun.number: qun for qun in (named_group(session, name) for name in request.quns)}.values())
