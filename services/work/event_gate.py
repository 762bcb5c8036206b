"""Prevents config reloads during event handling."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

log = logging.getLogger(__name__)
MAX_WAIT: Final = 2.0  # seconds that a reload waits for running handlers


class EventGate:
    """Applies a reload only while no event is being handled, so that no event sees a partial change.

    The handlers of an event read the settings at several points, between which they wait. A reload waits for them,
    at most `max_wait` seconds because a call to WeChat may take a minute; new events wait until it is applied.
    """

    def __init__(self, max_wait: float = MAX_WAIT) -> None:
        self._max_wait = max_wait
        self._running: set[asyncio.Task[Any] | None] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def handling(self) -> AsyncIterator[None]:
        """Handle an event inside."""
        while not self._open.is_set():
            await self._open.wait()
        task = asyncio.current_task()
        self._running.add(task)
        try:
            yield
        finally:
            self._running.discard(task)
            self._ended.set()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Apply a config inside. It does not wait for the event that requested it, if any."""
        self._open.clear()
        try:
            await self._until_idle()
            yield
        finally:
            self._open.set()

    async def _until_idle(self) -> None:
        me, deadline = {asyncio.current_task()}, time.monotonic() + self._max_wait
        while self._running - me:
            self._ended.clear()
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await self._ended.wait()
            except TimeoutError:
                log.info("reloading while %s events are being handled", len(self._running - me))
                return
