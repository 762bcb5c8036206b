"""A gRPC channel that combines the writes of one event loop iteration.

grpclib writes headers and body separately. Each write is a system call, the largest single cost of an RPC.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from grpclib.client import Channel
from grpclib.exceptions import ProtocolError
from grpclib.protocol import Connection, H2Protocol, Stream
from h2.connection import H2Connection
from hyperframe.frame import Frame, GoAwayFrame

from protocol.going_away import REASON, PatientProcessor, announced_end

# h2 remembers 65536 closed streams (9 MB), only to report precise errors for late frames. This class attribute is its
# only setting for that.
H2Connection.MAX_CLOSED_STREAMS = 2**10

# h2 formats every received frame for a logger that discards it, which takes 3 % of an RPC.
Frame.__repr__ = object.__repr__  # type: ignore[method-assign]

# Writes per batch. If all waited for the end of the iteration, the gateway would be idle until then: 5300 reads took 20
# % longer.
MAX_WRITES: Final = 16
MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024  # bytes; only small files come in a message, others by uuid or URL


class BatchedTransport:
    """A transport that buffers writes until the end of the loop iteration."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._written: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Buffer the bytes; they are sent in order."""
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)
        if len(self._written) >= MAX_WRITES:
            self._send()

    def close(self) -> None:
        """Flush the buffer and close."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._written:
            data = b"".join(self._written)
            self._written.clear()
            if not self._transport.is_closing():
                self._transport.write(data)


class MessageTooLarge(ProtocolError):
    """A server sends a message larger than MAX_MESSAGE_BYTES, which is not read."""


class BoundedStream(Stream):
    """An HTTP/2 stream that rejects messages which do not fit into memory."""

    async def recv_data(self, size: int) -> bytes:
        """Read the bytes of a message; grpclib has read its size from the five bytes before it."""
        if size > MAX_MESSAGE_BYTES:
            raise MessageTooLarge(f"a message of {size} bytes; the limit is {MAX_MESSAGE_BYTES}")
        return await self.buffer.read(size)


class BoundedConnection(Connection):
    """A connection of bounded streams."""

    def create_stream(self, *, stream_id: int | None = None, wrapper: Any = None) -> Stream:
        """Create a stream."""
        return BoundedStream(self, self._connection, self._transport, stream_id=stream_id, wrapper=wrapper)


class BatchedProtocol(H2Protocol):
    """HTTP/2 over a BatchedTransport, with bounded streams, that finishes its calls before the connection ends."""

    processor: PatientProcessor

    def connection_made(self, transport: Any) -> None:
        """Wrap the transport."""
        super().connection_made(BatchedTransport(transport))  # type: ignore[arg-type]  # duck-typed
        self.connection.__class__ = BoundedConnection  # grpclib has no factory for it
        self.connection._connection._frame_dispatch_table[GoAwayFrame] = announced_end
        self.processor = PatientProcessor(self.handler, self.connection)


class BatchedChannel(Channel):
    """A gRPC client channel over a BatchedTransport."""

    @property
    def is_leaving(self) -> bool:
        """Whether the gateway accepts no more calls."""
        return isinstance(self._protocol, BatchedProtocol) and self._protocol.processor.is_leaving

    async def __connect__(self) -> H2Protocol:
        """Return the connection, and open it for the first call; raise OSError."""
        if self.is_leaving:
            raise ConnectionError(REASON)
        return await super().__connect__()

    def _protocol_factory(self) -> H2Protocol:
        protocol = super()._protocol_factory()
        return BatchedProtocol(protocol.handler, protocol.config, protocol.h2_config)
