"""In-memory feed of numbered changes, from which a page that lost its connection can catch up."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

MAX_KEPT: Final = 2000


class ChangeKind(StrEnum):
    """Subjects of changes."""

    TICKET = "ticket"
    ACCOUNT = "account"
    PRESENCE = "presence"
    WORK = "work"  # a delivery failed, or a failed one was retried


@dataclass(frozen=True, slots=True)
class Change:
    """A change. `facts` are numbers and names, never message texts."""

    number: int
    kind: ChangeKind
    facts: dict[str, Any]


class ChangeFeed:
    """The latest changes. `forward` sends local ones to other processes."""

    def __init__(self, forward: Callable[[ChangeKind, dict[str, Any]], None] | None = None) -> None:
        self._forward = forward
        self._epoch = secrets.token_hex(4)  # numbers of an earlier process mean nothing
        self._last = 0
        self._changes: deque[Change] = deque(maxlen=MAX_KEPT)
        self._changed = asyncio.Event()

    def publish(self, kind: ChangeKind, **facts: Any) -> None:
        """Publish a change; on the event loop only."""
        self.receive(kind, facts)
        if self._forward is not None:
            self._forward(kind, facts)

    def receive(self, kind: ChangeKind, facts: dict[str, Any]) -> None:
        """Record a change of this or another process."""
        self._last += 1
        self._changes.append(Change(self._last, kind, facts))
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def last(self) -> int:
        """The number of the newest change."""
        return self._last

    def id_of(self, number: int) -> str:
        """Return the id of a change, as sent to clients."""
        return f"{self._epoch}-{number}"

    def number_of(self, id_: str) -> int | None:
        """Return the number of an id; None if the changes after it are no longer known."""
        epoch, _, number = id_.partition("-")
        if epoch != self._epoch or not number.isdecimal() or len(number) > 15:
            return None
        oldest = self._changes[0].number if self._changes else self._last + 1
        return int(number) if oldest - 1 <= int(number) <= self._last else None

    def after(self, number: int) -> list[Change]:
        """Return the changes after a number, oldest first."""
        return [change for change in self._changes if change.number > number]

    async def wait_after(self, number: int, seconds: float) -> list[Change]:
        """Return the changes after a number, waiting up to `seconds` for the first one."""
        if self._last <= number:
            changed = self._changed
            try:
                async with asyncio.timeout(seconds):
                    await changed.wait()
            except TimeoutError:
                return []
        return self.after(number)
