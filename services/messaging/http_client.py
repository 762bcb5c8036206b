"""The HTTP client with which business systems are reached: one session, bounded answers, no cookies."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Final

import aiohttp

from services.messaging.status_line import StatusKeeper, StatusRequest
from version import VERSION

ANSWER_LIMIT: Final = 256 * 1024  # bytes of an answer that are read
LET_GO: Final = 1.0  # seconds that the rest of an unwanted answer may take


class TooLong(aiohttp.ClientError):
    """An answer is longer than we read."""


class HttpClient:
    """Opens its session when it is first needed."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session; how much goes on at once is up to the queues and the flows, not to its pool."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            connector._factory = partial(StatusKeeper, loop=asyncio.get_running_loop())  # type: ignore[assignment]
            self._session = aiohttp.ClientSession(
                connector=connector,
                request_class=StatusRequest,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"wxbot/{VERSION}"},
            )
        return self._session

    async def close(self) -> None:
        """Let go of all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def read_bounded(response: aiohttp.ClientResponse, limit: int = ANSWER_LIMIT) -> bytes:
    """The answer's body; TooLong when it has more bytes than that."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise TooLong(f"more than {limit} bytes")
    return bytes(body)


async def let_go(response: aiohttp.ClientResponse) -> None:
    """Read the rest of a short answer, so that its connection can be used again; a long or slow one is cut off."""
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(LET_GO):
            await read_bounded(response)


def describe(error: Exception) -> str:
    """What went wrong, for a log: never an address, which may hold secrets."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or type(error.os_error).__name__}"
    return type(error).__name__
