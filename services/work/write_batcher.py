"""Batches small writes: items added during a write are written together by the next one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from sqlmodel import Session

from models.db import Store, is_away
from models.fence import WriteRefused

log = logging.getLogger(__name__)
Item = TypeVar("Item")
MAX_AT_ONCE: Final = 500
FIRST_WAIT: Final = 0.1  # seconds; doubled up to MAX_RETRY_WAIT while the database fails
MAX_RETRY_WAIT: Final = 5.0


class WriteBatcher(Generic[Item]):
    """Collects items and passes them, in order, to `write(session, items)`; one write runs at a time.

    While the database fails, it waits. An item that cannot be written does not affect the others: it is logged and
    passed to `on_lost`.
    """

    def __init__(
        self,
        store: Store,
        write: Callable[[Session, list[Item]], object],
        on_lost: Callable[[Item], None] = lambda _item: None,
    ) -> None:
        self._store = store
        self._write = write
        self._lost = on_lost
        self._waiting: list[Item] = []
        self._alone = 0  # number of items at the front to write one by one, to find the one that fails
        self._wait = FIRST_WAIT
        self._busy = False
        self._is_abandoned = False
        self._count = 0  # number of all items added so far
        self._write_ended = asyncio.Event()  # replaced after each write
        self._again: asyncio.TimerHandle | None = None  # of the next attempt
        self._failure: BaseException | None = None  # of the last attempt, if the database failed

    def put(self, item: Item) -> None:
        """Add an item to be written soon."""
        if self._is_abandoned:
            return
        self._waiting.append(item)
        self._count += 1
        if not self._busy:
            self._busy = True
            self._flush()

    async def drain(self, timeout: float = 10.0) -> None:
        """Wait until the items added so far are written, at most `timeout` seconds."""
        last = self._count
        try:
            async with asyncio.timeout(timeout):
                while self._count - len(self._waiting) < last:
                    await self._write_ended.wait()
        except TimeoutError:
            log.error("could not write %d items", len(self._waiting))  # noqa: TRY400 - no useful traceback

    async def write_now(self) -> None:
        """Write the items added so far, also those that wait for the next attempt; raise what the database raises."""
        last, self._failure = self._count, None
        if self._again is not None:
            self._again.cancel()
            self._flush()
        while self._failure is None and self._count - len(self._waiting) < last:
            await self._write_ended.wait()
        if self._failure is not None:
            raise self._failure

    def abandon(self) -> None:
        """Drop the items that wait for the database; later ones, too."""
        self._waiting.clear()
        self._alone, self._is_abandoned = 0, True
        self._write_ended.set()

    def _flush(self) -> None:
        self._again = None
        if not self._store.is_open:  # closed while it did not answer; `drain` has logged what is lost
            return
        if not self._waiting:  # the items were dropped meanwhile
            self._busy = False
            return
        limit = 1 if self._alone else MAX_AT_ONCE
        items = self._waiting[:limit]
        future = self._store.write_soon(lambda session: self._write(session, items))
        future.add_done_callback(lambda done: self._written(items, done))

    def _written(self, items: list[Item], future: asyncio.Future[object]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None and is_away(error):
            log.error(
                "the database is unavailable, %d writes are waiting: %s", len(self._waiting), type(error).__name__
            )
            self._again = asyncio.get_running_loop().call_later(self._wait, self._flush)
            self._wait = min(self._wait * 2, MAX_RETRY_WAIT)
            self._failure = error
            self._notify()
            return
        self._wait = FIRST_WAIT
        if error is not None and len(items) > 1:
            self._alone = len(items)
        else:
            self._done(items, error)
        self._notify()
        self._flush()

    def _notify(self) -> None:
        self._write_ended.set()
        self._write_ended = asyncio.Event()

    def _done(self, items: list[Item], error: BaseException | None) -> None:
        del self._waiting[: len(items)]
        self._alone = max(0, self._alone - len(items))
        if isinstance(error, WriteRefused):  # written by the process that serves the account now
            log.warning("an item was not written: %s", type(error).__name__)
        elif error is not None:
            log.error("could not write an item", exc_info=error)
        if error is not None:
            self._lost(items[0])
