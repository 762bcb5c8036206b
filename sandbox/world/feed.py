"""Who is told of what while it happens: the people at the chat page, and whoever watches an assistant's trace."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

RING: Final = 500  # trace entries kept per account
BACKLOG: Final = 1000  # items a slow reader may be behind before the oldest are dropped

Item = dict[str, Any]


class Channels:
    """Live queues by topic (a person's id, an account's name); a slow reader loses its oldest items."""

    def __init__(self) -> None:
        self._readers: dict[str, list[asyncio.Queue[Item]]] = {}

    @contextmanager
    def listen(self, topic: str, queue: asyncio.Queue[Item] | None = None) -> Iterator[asyncio.Queue[Item]]:
        """A queue (or the one given) of what is told to `topic` while the block runs."""
        queue = asyncio.Queue(BACKLOG) if queue is None else queue
        self._readers.setdefault(topic, []).append(queue)
        try:
            yield queue
        finally:
            self._readers[topic].remove(queue)
            if not self._readers[topic]:
                del self._readers[topic]

    def tell(self, topic: str, item: Item) -> None:
        """Put an item in every queue of the topic."""
        for queue in self._readers.get(topic, ()):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(item)

    def tell_all(self, item: Item) -> None:
        """Put an item in every queue there is."""
        for topic in list(self._readers):
            self.tell(topic, item)

    def heard(self, topics: Iterable[str]) -> list[str]:
        """The topics among these to which somebody listens."""
        return [topic for topic in topics if topic in self._readers]


class Trace:
    """What each assistant was told and what it called: the newest entries, and live."""

    def __init__(self) -> None:
        self.live = Channels()
        self._rings: dict[str, deque[Item]] = {}
        self._count = 0

    def add(self, account: str, at: float, what: str, name: str, **facts: Any) -> None:
        """Note an event told (`what` = event) or a call made (call), with its facts."""
        self._count += 1
        item = {"n": self._count, "account": account, "at": at, "what": what, "name": name, **facts}
        self._rings.setdefault(account, deque(maxlen=RING)).append(item)
        self.live.tell(account, item)

    def of(self, account: str) -> list[Item]:
        """The newest entries of an account, oldest first."""
        return list(self._rings.get(account, ()))
