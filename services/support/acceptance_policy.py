"""Which friend requests are accepted, and when: with random delays and a daily limit, to look human."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from config.customer_service import AcceptSettings
from models.db import Store
from models.durable import Action, Outcome
from services.clock import LocalTime
from services.text import normal
from services.work.job import Retry


class AcceptancePolicy:
    """The rules of an account. The audit log is the counter of the daily limit."""

    def __init__(self, store: Store, settings: AcceptSettings, local_time: LocalTime) -> None:
        self._store = store
        self._settings = settings
        self._local_time = local_time
        self._rng = random.Random()
        self._next_at: dict[str, float] = {}  # by account: when the next request may be accepted

    def allows(self, text: str) -> bool:
        """Whether a request with this text is accepted: no words are configured, or it contains one of them."""
        words = self._settings.words
        return not words or any(normal(word) in normal(text) for word in words)

    def random_time(self) -> float:
        """Return when to accept a request that arrives now."""
        return self._local_time.clock() + self._rng.uniform(*self._settings.delay_seconds)

    async def retry_if_limited(self, account: str) -> Retry | None:
        """Return a retry if the daily limit is used up or the last acceptance was too recent."""
        now, today = self._local_time.clock(), self._local_time.start_of_day()
        if await self._store.read(lambda s: _accepted_since(s, account, today)) >= self._settings.max_per_day:
            tomorrow = today + timedelta(days=1, minutes=self._rng.uniform(1, 30))
            return Retry(tomorrow.timestamp() - now, "the daily limit of friend requests is reached", counts=False)
        wait = self._next_at.get(account, 0) - now
        if 0 < wait <= self._settings.delay_seconds[1]:  # a longer wait means that the clock was set back
            return Retry(wait, "requests are accepted one at a time", counts=False)
        self._next_at[account] = self.random_time()
        return None


def _accepted_since(session: Session, account: str, since: datetime) -> int:
    count = select(func.count(col(Action.id))).where(
        Action.account == account,
        Action.kind == "accept",
        Action.outcome == Outcome.DONE,
        Action.at >= since.timestamp(),
    )
    return session.exec(count).one()
