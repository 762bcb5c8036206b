"""Reconnection to a gateway: back-off and TLS detection."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Literal

Tls = Literal["auto", True, False]


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended.

    Cancellation is repeated: grpclib turns one that coincides with the loss of the connection into that loss.
    """
    running = [task for task in tasks if not task.done()]
    while running:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=0.2)
        running = [task for task in running if not task.done()]
    await asyncio.gather(*tasks, return_exceptions=True)  # their exceptions are not needed


def backoff(times: int, first: float, longest: float) -> float:
    """Return the seconds to wait after `times` failures in a row: doubled each time up to `longest`, with jitter."""
    return float(min(longest, first * 2 ** min(max(times - 1, 0), 20)) * random.uniform(0.75, 1.0))


class TlsChoice:
    """Whether to use TLS with a gateway: as configured or, with `auto`, TLS first and then whatever worked."""

    def __init__(self, configured: Tls) -> None:
        self._configured = configured
        self._known: bool | None = None  # what worked, if tls is auto

    @property
    def is_new(self) -> bool:
        """Whether the choice has not been made yet."""
        return self._known is None and self._configured == "auto"

    def session_opened(self, secure: bool) -> None:
        """Record that a session was opened with or without TLS."""
        self._known = secure

    def forget(self) -> None:
        """Detect again, since the gateway may support TLS by now."""
        self._known = None

    async def run(self, session: Callable[[bool], Awaitable[None]], *, may_be_plain: bool = True) -> None:
        """Run one session, passing whether to use TLS.

        Plaintext exposes the token: unless `may_be_plain`, a reset during the TLS handshake does not cause a fallback.
        """
        secure = self._known if self._configured == "auto" else self._configured
        if secure is not None:
            return await session(secure)
        try:
            await session(True)
        except (ssl.SSLCertVerificationError, ConnectionRefusedError):
            raise
        except (ssl.SSLError, ConnectionResetError, ConnectionAbortedError):
            if self._known is not None or not may_be_plain:  # it used TLS before, so this is a lost connection
                raise
            await session(False)
