"""A channel that sends together what its calls have written in a turn of the event loop.

grpclib writes twice per call, headers and body, and each write is a system call: the largest single cost of a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from grpclib.client import Channel, Stream
from grpclib.exceptions import ProtocolError
from grpclib.protocol import H2Protocol
from h2.connection import H2Connection
from hyperframe.frame import Frame

# h2 remembers 65536 finished calls, 9 MB that fill slowly, only to name the fault of a frame that comes for one of
# them. Its own way to set that is this attribute of the class.
H2Connection.MAX_CLOSED_STREAMS = 2**10

# h2 describes every frame that comes to a logger that throws it away: a thirtieth of the time a call takes.
Frame.__repr__ = object.__repr__  # type: ignore[method-assign]

# Writes that wait at most. Were all to wait for the end of the turn, the gateway would idle while we write a batch of
# calls, and we while it answers them: 5300 reads took a fifth longer.
MAX: Final = 16
LARGEST_MESSAGE: Final = 32 * 1024 * 1024  # bytes; a file in base64 may stand in one


class BatchedTransport:
    """A transport whose writes wait for each other until the turn ends; all else is the transport's own."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._written: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Have the bytes sent soon, in order."""
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)
        if len(self._written) >= MAX:
            self._send()

    def close(self) -> None:
        """Send what is left and close."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._written:
            data = b"".join(self._written)
            self._written.clear()
            if not self._transport.is_closing():
                self._transport.write(data)


class BatchedProtocol(H2Protocol):
    """HTTP/2 over a corked transport."""

    def connection_made(self, transport: Any) -> None:
        """There is a connection."""
        super().connection_made(BatchedTransport(transport))  # type: ignore[arg-type] # it stands for one


class MessageTooLarge(ProtocolError):
    """A server sends a message of more bytes than are taken; none of them is kept."""


class BoundedStream(Stream[Any, Any]):
    """A call whose answers have a size that fits into memory."""

    async def send_request(self, *, end: bool = False) -> None:
        """Begin the call."""
        await super().send_request(end=end)
        self._stream.recv_data = partial(_bounded, self._stream.recv_data)  # type: ignore[method-assign]


async def _bounded(receive: Callable[[int], Awaitable[bytes]], size: int) -> bytes:
    """A message's head says how long it is, and then it is asked for in one piece."""
    if size > LARGEST_MESSAGE:
        raise MessageTooLarge(f"a message of {size} bytes; {LARGEST_MESSAGE} are taken")
    return await receive(size)


class BatchedChannel(Channel):
    """A client's channel over a corked transport."""

    def request(self, *call: Any, **how: Any) -> Stream[Any, Any]:
        """A call on this channel."""
        stream = super().request(*call, **how)
        stream.__class__ = BoundedStream
        return stream

    def _protocol_factory(self) -> H2Protocol:
        plain = super()._protocol_factory()
        return BatchedProtocol(plain.handler, plain.config, plain.h2_config)
