"""Broadcasts to groups and friends, by an admin's command (after confirmation), the console, or business systems."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from concurrency import SingleFlight
from errors import InvalidParameter
from models.bulk_insert import write_bulk
from models.db import Store
from models.durable import Outcome, Priority
from models.rules import Broadcast, BroadcastState, BroadcastTarget
from services.accounts.audit import Audit
from services.clock import MINUTE, Clock
from services.messaging.messages import Body, Messages, text
from services.outreach.broadcast_targets import BroadcastTargets
from services.outreach.broadcast_types import NO_GROUP, BroadcastRequest, Target

CONFIRM_MINUTES: Final = 10  # within which an admin must send 确认
BROADCAST_ID_KEY: Final = "broadcast"  # in the messages of a broadcast whose result is reported to an admin: its id


class Broadcasts:
    """Broadcasts are stored before their confirmation, so that they survive a restart."""

    def __init__(self, store: Store, targets: BroadcastTargets, messages: Messages, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._targets = targets
        self._messages = messages
        self._audit = audit
        self._clock = clock
        self._writing = SingleFlight[str, int]()  # by idempotency key

    # ---- by an admin in WeChat ----

    def ask(self, session: Session, account: str, by: str, text: str) -> None:
        """Store a broadcast until it is confirmed, replacing an earlier one, inside a transaction."""
        self._end(session, account, by, BroadcastState.CANCELLED)
        now, until = self._clock(), self._clock() + CONFIRM_MINUTES * MINUTE
        session.add(Broadcast(account=account, by=by, text=text, expires_at=until, created_at=now))

    async def unconfirmed(self, account: str, by: str) -> Broadcast | None:
        """Return the admin's broadcast that waits for confirmation, even if it has expired."""
        query = select(Broadcast).where(
            Broadcast.account == account, Broadcast.by == by, Broadcast.state == BroadcastState.ASKED
        )
        return await self._store.read(lambda s: s.exec(query.order_by(col(Broadcast.id).desc())).first())

    def has_expired(self, broadcast: Broadcast) -> bool:
        """Whether the time for confirmation is over."""
        return broadcast.expires_at <= self._clock()

    def cancel(self, session: Session, broadcast: Broadcast) -> None:
        """Cancel the broadcast, inside a transaction."""
        self._end(session, broadcast.account, broadcast.by, BroadcastState.CANCELLED)

    def send(self, session: Session, broadcast: Broadcast) -> int:
        """Queue the broadcast for all groups, inside a transaction; return their number, or 0 if it is not waiting."""
        if not self._end(session, broadcast.account, broadcast.by, BroadcastState.SENT):
            return 0
        targets = self._targets.of_account(session, broadcast.account)
        body = text(broadcast.text) | {BROADCAST_ID_KEY: broadcast.id}
        return self._queue(session, broadcast, body, targets, f"person:{broadcast.by}")

    def _end(self, session: Session, account: str, by: str, state: BroadcastState) -> bool:
        condition = (col(Broadcast.account) == account) & (col(Broadcast.by) == by)
        is_asked = col(Broadcast.state) == BroadcastState.ASKED
        return (
            session.connection().execute(update(Broadcast).where(condition, is_asked).values(state=state)).rowcount > 0
        )

    # ---- by a business system, or in the console ----

    async def submit(self, request: BroadcastRequest, actor: str, key: str | None) -> int:
        """Queue the broadcast for every named group and friend; return its id.

        A repeated idempotency key queues nothing again. Raises NotFound for an unknown group or friend, and
        InvalidParameter if there is no target or the key was used for another request.
        """
        if key is None:
            return await self._store.write(lambda s: self._write(s, request, actor, None))
        return await self._writing.run(
            key, lambda: self._submit_once(request, actor, key), request=request.fingerprint()
        )

    async def _submit_once(self, request: BroadcastRequest, actor: str, key: str) -> int:
        try:
            return await self._store.write(lambda s: self._write_once(s, request, actor, key))
        except IntegrityError:  # at the same moment, by another process
            return await self._store.write(lambda s: self._write_once(s, request, actor, key))

    def _write_once(self, session: Session, request: BroadcastRequest, actor: str, key: str) -> int:
        existing = session.exec(select(Broadcast).where(Broadcast.idempotency_key == key)).first()
        if existing is None:
            return self._write(session, request, actor, key)
        if existing.fingerprint != request.fingerprint():
            raise InvalidParameter("Idempotency-Key: it was used for another broadcast")
        return existing.id or 0

    def _write(self, session: Session, request: BroadcastRequest, actor: str, key: str | None) -> int:
        targets = self._targets.of_request(session, request)
        broadcast = Broadcast(
            account=request.account,
            by=actor,
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
        if not self._queue(session, broadcast, request.body, targets, actor):
            raise InvalidParameter("quns, tags, all: they name no active group")
        return broadcast.id or 0

    def _queue(self, session: Session, broadcast: Broadcast, body: Body, targets: Sequence[Target], actor: str) -> int:
        """Queue the message for every target; return the number of groups and friends."""
        options: dict[str, Any] = {"priority": Priority.BROADCAST, "run_at": broadcast.run_at}
        jobs = [
            self._messages.queue(session, target.account, target.conversation, dict(body), **options)
            for target in targets
        ]
        write_bulk(session)  # assigns the ids of the messages
        session.add_all(
            BroadcastTarget(
                broadcast=broadcast.id or 0,
                account=target.account,
                number=target.number,
                room_id=target.conversation,
                message=job.id,
            )
            for target, job in zip(targets, jobs, strict=True)
        )
        groups = len({target.number for target in targets if target.number != NO_GROUP})
        friends = sum(target.number == NO_GROUP for target in targets)
        if targets:
            account = broadcast.account or targets[0].account
            detail = {"groups": str(groups), **({"friends": str(friends)} if friends else {})}
            self._audit.record(session, account, "broadcast", actor, str(broadcast.id), Outcome.DONE, **detail)
        return groups + friends
