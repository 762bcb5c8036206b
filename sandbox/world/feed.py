"""Live notifications for the pages of people and for traces of assistants."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

MAX_TRACE: Final = 500  # trace entries per account
MAX_QUEUED: Final = 1000  # items queued per reader before the oldest are dropped

Item = dict[str, Any]


class Channels:
    """Queues by topic (a person's id, an account's name). A slow reader loses its oldest items."""

    def __init__(self) -> None:
        self._readers: dict[str, list[asyncio.Queue[Item]]] = {}

    @contextmanager
    def listen(self, topic: str, queue: asyncio.Queue[Item] | None = None) -> Iterator[asyncio.Queue[Item]]:
        """Return a queue, or the given one, that receives the topic's items while the block runs."""
        queue = asyncio.Queue(MAX_QUEUED) if queue is None else queue
        self._readers.setdefault(topic, []).append(queue)
        try:
            yield queue
        finally:
            self._readers[topic].remove(queue)
            if not self._readers[topic]:
                del self._readers[topic]

    def emit(self, topic: str, item: Item) -> None:
        """Send an item to all readers of a topic."""
        for queue in self._readers.get(topic, ()):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(item)

    def emit_all(self, item: Item) -> None:
        """Send an item to all readers."""
        for topic in list(self._readers):
            self.emit(topic, item)

    def with_readers(self, topics: Iterable[str]) -> list[str]:
        """Return the topics that have readers."""
        return [topic for topic in topics if topic in self._readers]


class Trace:
    """Events and calls of each assistant: the newest entries, and live."""

    def __init__(self) -> None:
        self.live = Channels()
        self._recent: dict[str, deque[Item]] = {}
        self._count = 0

    def add(self, account: str, at: float, kind: str, name: str, **facts: Any) -> None:
        """Add an event sent (`what` = event) or a call made (call) with its details."""
        self._count += 1
        item = {"n": self._count, "account": account, "at": at, "what": kind, "name": name, **facts}
        self._recent.setdefault(account, deque(maxlen=MAX_TRACE)).append(item)
        self.live.emit(account, item)

    def of(self, account: str) -> list[Item]:
        """Return the newest entries of an account, oldest first."""
        return list(self._recent.get(account, ()))
