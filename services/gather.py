"""Many small writes as one: what arrives while a write is under way is written together by the next."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from sqlmodel import Session

from models.db import Store

log = logging.getLogger(__name__)
Item = TypeVar("Item")
MOST_AT_ONCE = 500


class Gather(Generic[Item]):
    """Collects items and hands them, in order, to `write(session, items)`; one such write runs at a time."""

    def __init__(self, store: Store, write: Callable[[Session, list[Item]], object]) -> None:
        self._store = store
        self._write = write
        self._waiting: list[Item] = []
        self._busy = False

    def put(self, item: Item) -> None:
        """Have the item written soon."""
        self._waiting.append(item)
        if not self._busy:
            self._flush()

    def _flush(self) -> None:
        items, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
        self._busy = True
        self._store.write_soon(lambda session: self._write(session, items)).add_done_callback(self._written)

    def _written(self, future: object) -> None:
        self._busy = False
        error = future.exception()  # type: ignore[attr-defined]
        if error is not None:
            log.error("a gathered write failed", exc_info=error)
        if self._waiting:
            self._flush()
