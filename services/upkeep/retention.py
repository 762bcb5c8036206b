"""What customer service keeps beside its rows goes too once it is old: files, menus, counted questions."""

from __future__ import annotations

import asyncio

from services.clock import DAY, Clock
from services.messaging.media import MediaStore
from services.support.questions import Questions


class Retention:
    """Forgets files and questions older than `keep_days`."""

    def __init__(self, media: MediaStore, questions: Questions, keep_days: float, clock: Clock) -> None:
        self._media = media
        self._questions = questions
        self._clock = clock
        self.configure(keep_days)

    def configure(self, keep_days: float) -> None:
        """Keep things for so many days from now on."""
        self._keep = keep_days * DAY

    async def run(self) -> int:
        """Forget what is old; how many files."""
        before = self._clock() - self._keep
        await self._questions.prune(before)
        return await asyncio.to_thread(self._media.prune, before)
