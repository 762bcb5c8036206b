"""Deletes old files, menus and question counts of customer service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from sqlmodel import Session

from models.db import Store
from services.clock import DAY, Clock
from services.messaging.media import MediaStore
from services.upkeep.clock_trust import ClockTrust
from services.upkeep.pruning import REFUSED


class Records(Protocol):
    """Rows that are deleted after some time."""

    def prune(self, session: Session, before: float) -> None:
        """Delete what has expired, and what was stored before a time (Unix seconds) if it does not expire."""


class Retention:
    """Deletes files and records older than `keep_days`."""

    def __init__(
        self,
        store: Store,
        media: MediaStore,
        records: Sequence[Records],
        keep_days: float,
        clock: Clock,
        clock_trust: ClockTrust,
    ) -> None:
        self._store = store
        self._clock_trust = clock_trust
        self._media = media
        self._records = records
        self._clock = clock
        self.configure(keep_days)

    def configure(self, keep_days: float) -> None:
        """Set the retention period."""
        self._keep = keep_days * DAY

    async def run(self) -> int | str:
        """Delete old data, unless the clock cannot be trusted; return the number of files."""
        if not await self._clock_trust.is_trusted():
            return REFUSED
        before = self._clock() - self._keep
        await self._store.write(lambda session: self._prune(session, before))
        return await asyncio.to_thread(self._media.prune, before)

    def _prune(self, session: Session, before: float) -> None:
        for records in self._records:
            records.prune(session, before)
