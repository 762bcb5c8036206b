"""A text to every group of an assistant: asked, shown, and sent only when its admin confirms."""

from __future__ import annotations

from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from models.db import Store
from models.durable import Priority
from models.groups import QunState
from models.rules import Broadcast, BroadcastState
from services.accounts.audit import Audit
from services.clock import Clock
from services.groups.groups import Groups
from services.messaging.messages import Messages

MINUTES: Final = 10


class Broadcasts:
    """Broadcasts wait in the database, so that a restart between question and answer loses nothing."""

    def __init__(self, store: Store, groups: Groups, messages: Messages, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._groups = groups
        self._messages = messages
        self._audit = audit
        self._clock = clock

    def targets(self, account: str) -> list[tuple[str, int]]:
        """The rooms of every active group of the account, each with its group's number."""
        mine = [qun for qun in self._groups if qun.account == account and qun.state == QunState.ACTIVE]
        return [(room.room_id, qun.number) for qun in mine for room in self._groups.rooms(qun) if room.room_id]

    def groups(self, account: str) -> int:
        """How many groups a broadcast goes to."""
        return len({number for _, number in self.targets(account)})

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
        targets = self.targets(broadcast.account)
        for room_id, _ in targets:
            self._messages.say(session, broadcast.account, room_id, broadcast.text, priority=Priority.BROADCAST)
        count = len({number for _, number in targets})
        who = f"person:{broadcast.by}"
        self._audit.note(session, broadcast.account, "broadcast", who, str(broadcast.id), "done", groups=str(count))
        return count

    def _end(self, session: Session, account: str, by: str, state: str) -> bool:
        mine = (col(Broadcast.account) == account) & (col(Broadcast.by) == by)
        still = col(Broadcast.state) == BroadcastState.ASKED
        return session.connection().execute(update(Broadcast).where(mine, still).values(state=state)).rowcount > 0
