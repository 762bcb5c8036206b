"""The order of work while many accounts are connected at once: all get online before any is read again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

LONGEST_WAIT: Final = 3.0  # seconds; a gateway that does not respond must not hold up the other accounts


class BringUp:
    """The accounts of a process that were started and are not online yet."""

    def __init__(self) -> None:
        self._accounts: set[str] = set()
        self._over = asyncio.Event()
        self._over.set()

    def begin(self, account: str) -> None:
        """Record that an account is being connected for the first time."""
        self._accounts.add(account)
        self._over.clear()

    def end(self, account: str) -> None:
        """Record that an account is online, or cannot be for now."""
        self._accounts.discard(account)
        if not self._accounts:
            self._over.set()

    async def wait(self) -> None:
        """Wait until all accounts are online, at most LONGEST_WAIT."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT):
                await self._over.wait()
