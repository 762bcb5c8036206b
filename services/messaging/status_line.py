"""The status code of a response that is otherwise invalid.

aiohttp raises on an invalid response without providing its status. A webhook's receiver has accepted an event as soon
as it responds 2xx.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any, Final

from aiohttp import ClientRequest, ClientResponse
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

MAX_STATUS_LINE: Final = 1024  # maximum bytes of a status line
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r].*\n|HTTP/1\.[01] (\d{3})\r?\n")
_answering: ContextVar[StatusKeeper | None] = ContextVar("answering", default=None)


class StatusKeeper(ResponseHandler):
    """A connection that stores the first bytes of the current response."""

    begun = b""

    def data_received(self, data: bytes) -> None:
        """Store the first bytes and pass the data on."""
        if len(self.begun) < MAX_STATUS_LINE:
            self.begun += data[: MAX_STATUS_LINE - len(self.begun)]
        super().data_received(data)


class StatusRequest(ClientRequest):
    """A request that makes its connection available to `status_begun`."""

    async def send(self, conn: Connection) -> ClientResponse:
        """Send the request."""
        protocol: Any = conn.protocol
        if isinstance(protocol, StatusKeeper):
            protocol.begun = b""
            _answering.set(protocol)
        return await super().send(conn)


def forget_status() -> None:
    """Reset: `status_begun` returns None until the next request of this task."""
    _answering.set(None)


def status_begun() -> int | None:
    """Return the status of this task's last response; None if no complete status line was received."""
    protocol = _answering.get()
    match = _STATUS.match(protocol.begun) if protocol is not None else None
    return int(match[1] or match[2]) if match else None
