"""A server on its own event loop in another thread, for tests that block, such as those of schemathesis."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Self

from tests.waiting import SECONDS


class BackgroundServer(ABC):
    """Runs `serve` while the block runs."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stop: asyncio.Event
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()))

    @abstractmethod
    def serve(self) -> AbstractAsyncContextManager[None]:
        """Start the server; it is stopped at the end of the context."""

    async def _run(self) -> None:
        async with self.serve():
            self._stop = asyncio.Event()
            self._up.set()
            await self._stop.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(SECONDS)
        self._loop.close()
