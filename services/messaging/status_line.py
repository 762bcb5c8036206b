"""What a server has begun to answer, also where the rest of its answer cannot be read.

aiohttp raises on a broken answer and does not tell its status; a webhook's receiver has taken an event once it says
2xx.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any, Final

from aiohttp import ClientRequest, ClientResponse
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

LONGEST: Final = 1024  # bytes of a status line
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r].*\n|HTTP/1\.[01] (\d{3})\r?\n")
_answering: ContextVar[StatusKeeper | None] = ContextVar("answering", default=None)


class StatusKeeper(ResponseHandler):
    """A connection that remembers how the latest answer began."""

    begun = b""

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer."""
        if len(self.begun) < LONGEST:
            self.begun += data[: LONGEST - len(self.begun)]
        super().data_received(data)


class StatusRequest(ClientRequest):
    """A request that makes its connection known to `status_begun`."""

    async def send(self, conn: Connection) -> ClientResponse:
        """Send it."""
        protocol: Any = conn.protocol
        if isinstance(protocol, StatusKeeper):
            protocol.begun = b""
            _answering.set(protocol)
        return await super().send(conn)


def forget_status() -> None:
    """Begin anew: `status_begun` tells of nothing before the next request of this task."""
    _answering.set(None)


def status_begun() -> int | None:
    """The status that the server gave to this task's latest request; None when no whole status line came."""
    protocol = _answering.get()
    match = _STATUS.match(protocol.begun) if protocol is not None else None
    return int(match[1] or match[2]) if match else None
