"""The audit log of everything done in WeChat's name: who asked, what, what was seen."""

from __future__ import annotations

from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col

from models.db import Store
from models.durable import Action
from services.clock import Clock

UNCONFIRMED: Final = "unconfirmed"  # outcome of what WeChat accepted and does not show


class Audit:
    """Writes the log."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def note(
        self, session: Session, account: str, kind: str, who: str, target: str, outcome: str = "tried", **detail: str
    ) -> Action:
        """Write a line inside a transaction."""
        action = Action(
            at=self._clock(), account=account, kind=kind, who=who, target=target, outcome=outcome, detail=detail
        )
        session.add(action)
        session.flush()
        return action

    async def tried(self, account: str, kind: str, who: str, target: str, **detail: str) -> int:
        """Write that something is about to be tried; returns the line's id."""
        action = await self._store.write(lambda s: self.note(s, account, kind, who, target, **detail))
        return action.id or 0

    def end(self, session: Session, action_id: int, outcome: str, seen: str = "") -> None:
        """Write what came of it, inside a transaction."""
        session.connection().execute(
            update(Action).where(col(Action.id) == action_id).values(outcome=outcome, seen=seen[:500])
        )

    async def ended(self, action_id: int, outcome: str, seen: str = "") -> None:
        """Write what came of it."""
        await self._store.write(lambda s: self.end(s, action_id, outcome, seen))
