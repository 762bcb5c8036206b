"""The order of work while many accounts are connected at once: all get online before any is read again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

MAX_WAIT: Final = 3.0  # seconds; a gateway that does not respond must not hold up the other accounts


class ConnectingAccounts:
    """The accounts of a process that were started and are not online yet."""

    def __init__(self) -> None:
        self._accounts: set[str] = set()
        self._all_connected = asyncio.Event()
        self._all_connected.set()

    def begin(self, account: str) -> None:
        """Record that an account is being connected for the first time."""
        self._accounts.add(account)
        self._all_connected.clear()

    def end(self, account: str) -> None:
        """Record that an account is online, or cannot be for now."""
        self._accounts.discard(account)
        if not self._accounts:
            self._all_connected.set()

    async def wait(self) -> None:
        """Wait until all accounts are online, at most MAX_WAIT."""
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_WAIT):
                await self._all_connected.wait()
