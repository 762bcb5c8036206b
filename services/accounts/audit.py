"""The audit log of all actions in WeChat: the requester, the action, and the observed result."""

from __future__ import annotations

from sqlalchemy import update
from sqlmodel import Session, col

from models.db import Store
from models.durable import Action, Outcome
from services.clock import Clock


class Audit:
    """Writes the audit log."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def record(
        self,
        session: Session,
        account: str,
        kind: str,
        actor: str,
        target: str,
        outcome: str = Outcome.TRIED,
        **detail: str,
    ) -> Action:
        """Add an entry inside a transaction."""
        action = Action(
            at=self._clock(), account=account, kind=kind, who=actor, target=target, outcome=outcome, detail=detail
        )
        session.add(action)
        session.flush()
        return action

    async def begin(self, account: str, kind: str, actor: str, target: str, **detail: str) -> int:
        """Add an entry before an attempt and return its id."""
        action = await self._store.write(lambda s: self.record(s, account, kind, actor, target, **detail))
        return action.id or 0

    def record_end(self, session: Session, action_id: int, outcome: str, seen: str = "") -> None:
        """Record the outcome of an attempt, inside a transaction."""
        session.connection().execute(
            update(Action).where(col(Action.id) == action_id).values(outcome=outcome, seen=seen[:500])
        )

    async def end(self, action_id: int, outcome: str, seen: str = "") -> None:
        """Record the outcome of an attempt."""
        await self._store.write(lambda s: self.record_end(s, action_id, outcome, seen))
