"""Persistence of the rate limiters: recent actions, and the slow-down after 操作过于频繁."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial

from sqlmodel import Session, col, select

from models.db import Store
from models.durable import Action, Setting
from services.clock import Clock
from services.messaging.messages import QUEUE
from services.work.outbox import Outbox
from services.work.write_batcher import WriteBatcher
from wechat.pacing import DAY, MINUTE, Governor

log = logging.getLogger(__name__)


class PaceRecords:
    """Restores the governors from the database, and stores their slow-downs."""

    def __init__(self, store: Store, outbox: Outbox, governors: Mapping[str, Governor], clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._governors = governors
        self._clock = clock
        self._slow = WriteBatcher[tuple[str, float]](store, _keep)
        for account, governor in governors.items():
            governor.on_slow = partial(self._slowed, account)

    async def recall(self) -> None:
        """Restore all governors."""
        await self._store.read(self._recall)

    async def begin(self, account: str) -> None:
        """Restore the governor of an account that was added at run time."""
        self._governors[account].on_slow = partial(self._slowed, account)
        await self._store.read(lambda s: self._recall(s, account))

    async def drain(self) -> None:
        """Wait until pending writes are done."""
        await self._slow.drain()

    def _recall(self, session: Session, only: str = "") -> None:
        now = self._clock()
        rare = select(Action).where(Action.at > now - DAY, col(Action.kind).in_(("group", "add")))
        for action in session.exec(rare.order_by(col(Action.at))):
            if action.account in self._governors and only in ("", action.account):
                self._governors[action.account].recall(action.kind, [action.at])
        for account, governor in self._governors.items():
            if only not in ("", account):
                continue
            governor.recall("message", self._outbox.sent_since(session, f"{QUEUE}:{account}", now - MINUTE))
            slow = session.get(Setting, _key(account))
            if slow is not None:
                governor.recall_slow(float(slow.value))

    def _slowed(self, account: str, until: float) -> None:
        log.warning("%s: WeChat reports 操作过于频繁; the rate is halved until %d", account, until)
        self._slow.put((account, until))


def _key(account: str) -> str:
    return f"slow_until:{account}"


def _keep(session: Session, items: list[tuple[str, float]]) -> None:
    for account, until in dict(items).items():
        session.merge(Setting(key=_key(account), value=repr(until)))
