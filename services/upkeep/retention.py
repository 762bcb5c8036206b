"""Deletes old files, menus and question counts of customer service."""

from __future__ import annotations

import asyncio

from services.clock import DAY, Clock
from services.messaging.media import MediaStore
from services.support.questions import Questions
from services.upkeep.clock_trust import ClockTrust
from services.upkeep.pruning import REFUSED


class Retention:
    """Deletes files and questions older than `keep_days`."""

    def __init__(
        self, media: MediaStore, questions: Questions, keep_days: float, clock: Clock, clock_trust: ClockTrust
    ) -> None:
        self._clock_trust = clock_trust
        self._media = media
        self._questions = questions
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
        await self._questions.prune(before)
        return await asyncio.to_thread(self._media.prune, before)
