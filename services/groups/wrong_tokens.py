"""Counts wrong join tokens: people who guess are ignored for an hour."""

from __future__ import annotations

from typing import Final

from sqlmodel import Session, col, select

from models.db import Store
from models.groups import TokenMiss
from services.clock import Clock

MAX_MISSES: Final = 5
HOUR: Final = 3600.0


class WrongTokens:
    """Counts wrong tokens per account and person, in the database."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def record(self, session: Session, account: str, contact_id: str) -> None:
        """Count a wrong token of a person."""
        session.add(TokenMiss(account=account, contact_id=contact_id, at=self._clock()))

    async def is_blocked(self, account: str, contact_id: str) -> bool:
        """Whether a person sent five wrong tokens within an hour, the last of them less than an hour ago."""
        query = (
            select(TokenMiss.at)
            .where(TokenMiss.account == account, TokenMiss.contact_id == contact_id)
            .order_by(col(TokenMiss.at).desc())
            .limit(MAX_MISSES)
        )
        last = await self._store.read(lambda s: s.exec(query).all())
        return len(last) == MAX_MISSES and last[0] - last[-1] < HOUR and self._clock() < last[0] + HOUR
