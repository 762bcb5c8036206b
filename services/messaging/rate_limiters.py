"""The rate limiters of all accounts, restored after a restart."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from functools import partial

from sqlmodel import Session, col, select

from config.settings import PacingSettings
from models.db import Store
from models.durable import Action, Setting
from services.clock import DAY, MINUTE, Clock
from services.messaging.messages import QUEUE
from services.work.outbox_rows import sent_since
from services.work.write_batcher import WriteBatcher
from wechat.rate_limiter import RateLimiter

log = logging.getLogger(__name__)


class RateLimiters(Mapping[str, RateLimiter]):
    """The rate limiters by account. Their slow-downs after 操作过于频繁 are stored."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._rate_limiters: dict[str, RateLimiter] = {}
        self._slow_downs = WriteBatcher[tuple[str, float]](store, _store_slow_downs)

    def __getitem__(self, account: str) -> RateLimiter:
        return self._rate_limiters[account]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rate_limiters)

    def __len__(self) -> int:
        return len(self._rate_limiters)

    def create(self, account: str, settings: PacingSettings) -> RateLimiter:
        """Create the rate limiter of an account, or replace it."""
        rate_limiter = RateLimiter(settings, self._clock, on_slow=partial(self._slowed, account))
        self._rate_limiters[account] = rate_limiter
        return rate_limiter

    async def restore(self, accounts: Collection[str] | None = None) -> None:
        """Restore recent actions and slow-downs, of some accounts or of all."""
        await self._store.read(
            lambda s: self._restore(s, set(self._rate_limiters) if accounts is None else set(accounts))
        )

    async def drain(self) -> None:
        """Wait until pending writes are done."""
        await self._slow_downs.drain()

    def _restore(self, session: Session, accounts: set[str]) -> None:
        now = self._clock()
        query = select(Action).where(Action.at > now - DAY, col(Action.kind).in_(("group", "add")))
        query = query.where(col(Action.account).in_(accounts))
        for action in session.exec(query.order_by(col(Action.at))):
            self._rate_limiters[action.account].restore(action.kind, [action.at])
        sent = sent_since(session, [f"{QUEUE}:{account}" for account in accounts], now - MINUTE)
        slow_downs = select(Setting.key, Setting.value).where(col(Setting.key).in_(map(_key, accounts)))
        slow_until = dict(session.exec(slow_downs).all())
        for account in accounts:
            rate_limiter = self._rate_limiters[account]
            rate_limiter.restore("message", sent[f"{QUEUE}:{account}"])
            if _key(account) in slow_until:
                rate_limiter.restore_slow_down(float(slow_until[_key(account)]))

    def _slowed(self, account: str, until: float) -> None:
        log.warning("%s: WeChat reports 操作过于频繁; the rate is halved until %d", account, until)
        self._slow_downs.put((account, until))


def _key(account: str) -> str:
    return f"slow_until:{account}"


def _store_slow_downs(session: Session, items: list[tuple[str, float]]) -> None:
    for account, until in dict(items).items():
        session.merge(Setting(key=_key(account), value=repr(until)))
