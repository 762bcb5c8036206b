"""What keeps a connection to a gateway alive: how long to wait before the next try, and whether it speaks TLS."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Literal

Tls = Literal["auto", True, False]


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for them. Those that read a gRPC stream may need to be told twice: grpclib turns a
    cancellation that meets the loss of the connection into that loss."""
    left = [task for task in tasks if not task.done()]
    while left:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=0.2)
        left = [task for task in left if not task.done()]
    await asyncio.gather(*tasks, return_exceptions=True)  # how they ended is nobody's business any more


def backoff(times: int, first: float, most: float) -> float:
    """The seconds to wait after so many failures in a row: doubled each time, up to `most`, with a random part."""
    return float(min(most, first * 2 ** min(max(times - 1, 0), 20)) * random.uniform(0.75, 1.0))


class TlsChoice:
    """Whether a gateway speaks TLS: as configured or, with `auto`, TLS first and then what worked."""

    def __init__(self, configured: Tls) -> None:
        self._configured = configured
        self._known: bool | None = None  # what worked, when tls is auto

    @property
    def is_new(self) -> bool:
        """Whether the choice is still open."""
        return self._known is None and self._configured == "auto"

    def worked(self, secure: bool) -> None:
        """A session was opened this way; later ones keep to it."""
        self._known = secure

    def forget(self) -> None:
        """Ask anew: the gateway may speak TLS by now."""
        self._known = None

    async def run(self, session: Callable[[bool], Awaitable[None]], *, may_be_plain: bool = True) -> None:
        """One session, which is told whether to use TLS.

        Plaintext carries the token: unless it `may_be_plain`, a handshake that somebody resets does not bring it out.
        """
        known = self._known if self._configured == "auto" else self._configured
        if known is not None:
            return await session(known)
        try:
            await session(True)
        except (ssl.SSLCertVerificationError, ConnectionRefusedError):
            raise
        except (ssl.SSLError, ConnectionResetError, ConnectionAbortedError):
            if self._known is not None or not may_be_plain:  # it was TLS, and is lost
                raise
            await session(False)
