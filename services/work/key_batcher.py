"""Batches calls by key: keys requested during a call are passed together to the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from models.db import is_away

MAX_AT_ONCE: Final = 100


class KeyBatcher:
    """Calls `work` with the keys of all callers that wait.

    If that raises, each key is passed alone, to find the one that fails, unless the database failed.
    """

    def __init__(self, work: Callable[[Sequence[str]], Awaitable[object]]) -> None:
        self._work = work
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, key: str) -> None:
        """Wait for a call with the key that begins after this one; raises what the call raises."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        await asyncio.shield(future)

    async def _run(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[:MAX_AT_ONCE]
                await self._call({key: self._waiting.pop(key) for key in keys})
        finally:
            self._running = None

    async def _call(self, futures: dict[str, asyncio.Future[None]]) -> None:
        try:
            await self._work(list(futures))
        except Exception as error:  # noqa: BLE001 - raised in the callers
            if len(futures) > 1 and not is_away(error):
                for key, future in futures.items():
                    await self._call({key: future})
                return
            for future in futures.values():
                future.set_exception(error)
                future.exception()  # its caller may have been cancelled
        else:
            for future in futures.values():
                future.set_result(None)
