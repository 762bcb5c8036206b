"""Accepting friend requests: a moment later, as a person would, and no more of them a day than looks human."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func
from sqlmodel import Session, col, select

from errors import WeChatError, WeChatOffline, WeChatTooFast, WeChatUnknown
from models.db import Store
from models.durable import Action, Priority
from services.accounts import Accounts
from services.audit import Audit
from services.lane import Clock, Gone, Later, Work
from services.outbox import Outbox
from settings import Accept

log = logging.getLogger(__name__)
LANE = "accept"
MOST_TRIES = 4


class Friends:
    """Accepts friend requests, durably."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        accounts: Accounts,
        audit: Audit,
        settings: Accept,
        zone: ZoneInfo,
        clock: Clock,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._accounts = accounts
        self._audit = audit
        self._settings = settings
        self._zone = zone
        self._clock = clock
        self._rng = random.Random()
        self.on_accepted: Callable[[str, str], None] = lambda _account, _contact_id: None
        outbox.serve(LANE, self._deliver, at_once=1, is_open=accounts.is_online)

    def accept_soon(self, session: Session, account: str, friendship_id: str, contact_id: str) -> None:
        """Promise, inside a transaction, to accept the request after a human-like while."""
        run_at = self._clock() + self._rng.uniform(*self._settings.delay_seconds)
        body = {"friendship": friendship_id, "contact": contact_id}
        self._outbox.add(session, f"{LANE}:{account}", contact_id, body, priority=Priority.NOTICE, run_at=run_at)

    async def _deliver(self, work: Work) -> str | Later | Gone:
        account = work.lane.partition(":")[2]
        today = datetime.fromtimestamp(self._clock(), self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        if await self._store.read(lambda s: self._accepted(s, account, today)) >= self._settings.max_per_day:
            tomorrow = today + timedelta(days=1, minutes=self._rng.uniform(1, 30))
            return Later(tomorrow.timestamp() - self._clock(), "the day's friend requests are used up", counts=False)
        action = await self._audit.tried(account, "accept", f"person:{work.body['contact']}", work.body["contact"])
        try:
            await self._accounts.get(account).accept_friend(work.body["friendship"])
        except WeChatError as error:
            await self._audit.ended(action, "failed", str(error))
            return self._again(account, work, error)
        await self._audit.ended(action, "done")
        self.on_accepted(account, work.body["contact"])
        return ""

    def _again(self, account: str, work: Work, error: WeChatError) -> Later | Gone:
        if isinstance(error, WeChatOffline):
            return Later(1, str(error), counts=False)
        if isinstance(error, WeChatTooFast):
            self._accounts.governor(account).slow_down()
        if work.attempts >= MOST_TRIES:
            return Gone(str(error))
        return Later(2 if isinstance(error, WeChatUnknown) else 60, str(error))

    def _accepted(self, session: Session, account: str, since: datetime) -> int:
        count = select(func.count(col(Action.id))).where(
            Action.account == account, Action.kind == "accept", Action.outcome == "done", Action.at >= since.timestamp()
        )
        return session.exec(count).one()
