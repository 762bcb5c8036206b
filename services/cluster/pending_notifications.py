"""Pending notifications of this process to the others."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from services.changes import ChangeKind

MAX_WAITING: Final = 1000  # changes; a page that misses some reads everything again when it is next opened

Announced = tuple[str, dict[str, Any]]


class PendingNotifications:
    """Collects notifications. To be used on the event loop only."""

    def __init__(self) -> None:
        self._changes: list[Announced] = []
        self._available = asyncio.Event()
        self._has_free_account = False
        self.sent = 0  # number of NOTIFYs

    def announce(self, _kind: str) -> None:
        """Record that shared data has changed; the version numbers in the database identify which."""
        self._available.set()

    def publish(self, kind: ChangeKind, facts: dict[str, Any]) -> None:
        """Add a change for the pages open at other processes."""
        if len(self._changes) < MAX_WAITING:
            self._changes.append((kind, facts))
        self._available.set()

    def account_released(self) -> None:
        """Tell the others that an account was released."""
        self._has_free_account = True
        self._available.set()

    async def next_payload(self, limit: int) -> dict[str, Any]:
        """Wait for something to notify, and return the payload, with at most `limit` changes."""
        await self._available.wait()
        taken, self._changes = self._changes[:limit], self._changes[limit:]
        if not self._changes:
            self._available.clear()
        payload: dict[str, Any] = {"changes": taken} if taken else {}
        if self._has_free_account:
            payload["free"], self._has_free_account = 1, False
        return payload
