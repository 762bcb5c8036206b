"""gRPC over HTTP/2: messages with a prefix of five bytes, the outcome of a call in its trailers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.metadata import decode_grpc_message, encode_grpc_message
from h2.errors import ErrorCodes

from protocol import SERVICE
from relay.headers import Field, Headers
from relay.http2 import GatewayLost, Http2Connection
from relay.streams import Stream

PREFIX: Final = 5  # bytes: whether the message is compressed, and its length
RESPONSE_FIELDS: Final[tuple[Field, ...]] = ((b":status", b"200"), (b"content-type", b"application/grpc+proto"))
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024


class UndecodableMessage(ValueError):
    """A message that is compressed or larger than the limit."""


class CallEnded(OSError):
    """The gateway ended a call without a gRPC outcome; the connection is still there."""


def path_of(name: str) -> str:
    """Return the path of a call of the puppet service."""
    return f"/{SERVICE}/{name}"


def frame(message: bytes) -> bytes:
    """Return a message in gRPC framing."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def is_message(data: bytes) -> bool:
    """Whether these bytes are exactly one message that is not compressed."""
    size = len(data) - PREFIX
    return size >= 0 and not data[0] and int.from_bytes(data[1:PREFIX], "big") == size


def outcome(status: Status, message: str | None = None) -> list[Field]:
    """Return the trailers that end a call."""
    trailers = [(b"grpc-status", b"%d" % status.value)]
    if message:
        trailers.append((b"grpc-message", encode_grpc_message(message).encode()))
    return trailers


def error_in(headers: Headers) -> GRPCError | None:
    """Return the error in trailers, or None if there is none."""
    fields = dict(headers.fields)
    try:
        status = Status(int(fields.get(b"grpc-status", b"0")))
    except ValueError:
        status = Status.UNKNOWN
    if status is Status.OK:
        return None
    return GRPCError(status, decode_grpc_message(fields.get(b"grpc-message", b"").decode("utf-8", "replace")) or None)


class MessageDecoder:
    """Assembles messages from the data of a stream."""

    def __init__(self, limit: int = MAX_MESSAGE_BYTES) -> None:
        self._limit = limit
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete; raise UndecodableMessage."""
        if not self._data and is_message(data) and len(data) <= self._limit + PREFIX:
            return [data[PREFIX:]]  # by far the most frequent case
        self._data += data
        messages = []
        while len(self._data) >= PREFIX:
            end = PREFIX + int.from_bytes(self._data[1:PREFIX], "big")
            if self._data[0] or end > self._limit + PREFIX:
                raise UndecodableMessage
            if len(self._data) < end:
                break
            messages.append(bytes(self._data[PREFIX:end]))
            del self._data[:end]
        return messages


class OwnCall:
    """A call that the relay itself makes: one request, any number of answers."""

    def __init__(self, stream: Stream, limit: int) -> None:
        self._stream = stream
        self._messages = MessageDecoder(limit)
        self._received: list[bytes] = []
        self._size = 0  # bytes to be consumed once they are handled
        self._changed = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None

    def mark_long_lived(self) -> None:
        """Let the connection close without waiting for this call."""
        self._stream.is_long_lived = True

    def on_headers(self, headers: Headers, *, end: bool) -> None:
        """Handle headers or trailers of the response."""
        if headers.metadata.get(":status", "200") != "200":
            self._end(CallEnded("no gRPC server"))
        elif end:
            self._end(error_in(headers))

    def on_data(self, data: bytes, size: int, *, end: bool) -> None:
        """Handle data of the response."""
        try:
            messages = self._messages.feed(data)
        except UndecodableMessage as error:
            self._stream.reset()
            self._end(error)
            return
        if not (messages or self._received):
            self._stream.consumed(size)
        else:
            self._size += size
            self._received += messages
            self._changed.set()
        if end:
            self._end(None)

    def on_reset(self, code: int | None) -> None:
        """Handle a call that the gateway cancelled, or a lost connection."""
        was_begun = code not in (None, ErrorCodes.REFUSED_STREAM)
        self._end(CallEnded(f"reset with code {code}") if was_begun else GatewayLost("connection lost"))

    def _end(self, error: Exception | None) -> None:
        if not self._ended:
            self._ended, self._error = True, error
            self._changed.set()

    async def responses(self) -> AsyncGenerator[list[bytes], None]:
        """Yield the responses, those that arrived together at once. Stopping early cancels the call.

        Raises GRPCError, GatewayLost, CallEnded or UndecodableMessage.
        """
        try:
            while True:
                while self._received:
                    (received, size), self._received, self._size = (self._received, self._size), [], 0
                    yield received
                    self._stream.consumed(size)
                if self._ended:
                    break
                self._changed.clear()
                await self._changed.wait()
        finally:
            self._stream.reset()
        if self._error is not None:
            raise self._error


def begin(connection: Http2Connection, headers: Headers, request: bytes, limit: int = MAX_MESSAGE_BYTES) -> OwnCall:
    """Make a call. Raises GatewayLost and TooManyCalls."""
    calls: list[OwnCall] = []

    def make(stream: Stream) -> OwnCall:
        calls.append(OwnCall(stream, limit))
        return calls[0]

    connection.open(headers, make).send_data(frame(request), end=True)
    return calls[0]
