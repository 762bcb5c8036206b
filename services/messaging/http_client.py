"""HTTP client for business systems: one session, bounded responses, no cookies."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Final

import aiohttp

from services.messaging.status_line import StatusKeeper, StatusRequest
from version import VERSION

ANSWER_LIMIT: Final = 256 * 1024  # maximum bytes read of a response
MAX_DISCARDED: Final = 1.0  # seconds for reading the remainder of an unneeded response


class TooLong(aiohttp.ClientError):
    """A response exceeds the size limit."""


class HttpClient:
    """Creates the session on first use."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session. Its pool is unlimited, because queues and flows limit the concurrency."""
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
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def read_bounded(response: aiohttp.ClientResponse, limit: int = ANSWER_LIMIT) -> bytes:
    """Return the body; raise TooLong if it exceeds `limit` bytes."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise TooLong(f"more than {limit} bytes")
    return bytes(body)


async def discard(response: aiohttp.ClientResponse) -> None:
    """Read the remainder of a short response, so that its connection can be reused; close it if it is long or slow."""
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(MAX_DISCARDED):
            await read_bounded(response)


def describe(error: Exception) -> str:
    """Describe an error for logs, without the URL, which may contain secrets."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or type(error.os_error).__name__}"
    return type(error).__name__
