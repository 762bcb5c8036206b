"""A client's call: forwarded to the gateway as it arrives, or answered by the relay."""

from __future__ import annotations

from functools import partial
from typing import Final, Protocol

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from h2.errors import ErrorCodes

from protocol.relaying import NO_GATEWAY
from relay.headers import Field, Headers
from relay.http2 import Http2Connection
from relay.rpc import PREFIX, RESPONSE_FIELDS, frame, is_message, outcome
from relay.streams import Stream

MAX_READ_BYTES: Final = 16 * 1024  # bytes of a request that the relay reads; its own calls are far below
GATEWAY_LOST: Final = "the connection to the gateway was lost"
RESPONSE_HEADERS: Final = Headers(RESPONSE_FIELDS)
SUCCESS: Final = Headers(outcome(Status.OK))


class CallHandler(Protocol):
    """The party that serves a call."""

    def on_request(self, call: Call, request: bytes | None) -> None:
        """Handle a complete request; None if it is not a single message, or is too large to be parsed."""

    def on_end(self, call: Call) -> None:
        """Handle the end of a call."""


class Call:
    """Buffers what the client sends until the destination is known."""

    __slots__ = (
        "_buffered",
        "_gateway",
        "_has_answered",
        "_owner",
        "_reads",
        "headers",
        "is_done",
        "metadata",
        "path",
        "stream",
    )

    def __init__(self, owner: CallHandler, stream: Stream, headers: Headers) -> None:
        self.stream = stream
        self.headers = headers
        self.metadata = headers.metadata
        self.path = self.metadata[":path"]
        self.is_done = False
        self._owner = owner
        self._buffered: list[tuple[bytes, int, bool]] = [(b"", 0, True)] if stream.has_ended else []
        self._reads = False
        self._gateway: Stream | None = None
        self._has_answered = False

    # ---- from the client ----

    def on_headers(self, headers: Headers, *, end: bool) -> None:
        """Handle trailers of a request: gRPC has none, so only the end matters."""
        self.on_data(b"", 0, end=end)

    def on_data(self, data: bytes, size: int, *, end: bool) -> None:
        """Handle data of the request."""
        if self.is_done:
            self.stream.consumed(size)
        elif self._gateway is not None:
            self._gateway.send_data(data, end=end, source=self.stream, size=size)
        else:
            self._buffered.append((data, size, end))
            if self._reads:
                self._pass_complete_request()

    def on_reset(self, code: int | None) -> None:
        """Handle a cancelled call or a lost client."""
        self.end()

    def read_request(self) -> None:
        """Pass the complete request to the owner once it has arrived."""
        self._reads = True
        self._pass_complete_request()

    def _pass_complete_request(self) -> None:
        ended = bool(self._buffered) and self._buffered[-1][2]
        if ended or sum(size for _, size, _ in self._buffered) > MAX_READ_BYTES:
            self._reads = False
            self._owner.on_request(self, self._request() if ended else None)

    def _request(self) -> bytes | None:
        request = b"".join(data for data, _, _ in self._buffered)
        return request[PREFIX:] if is_message(request) else None

    # ---- to the client ----

    def forward(self, connection: Http2Connection, headers: Headers) -> None:
        """Forward the call to the gateway. Raises GatewayLost and TooManyCalls."""
        self._gateway = connection.open(headers, partial(_GatewayResponse, self))
        for data, size, end in self._buffered:
            self._gateway.send_data(data, end=end, source=self.stream, size=size)
        self._buffered.clear()

    def send_headers(self, *metadata: Field) -> None:
        """Send the headers of the relay's own response."""
        self._has_answered = True
        self.stream.send_headers(Headers((*RESPONSE_FIELDS, *metadata)) if metadata else RESPONSE_HEADERS)

    async def send(self, message: bytes) -> None:
        """Send a message of the response, and wait until it has been written."""
        await self.send_framed(frame(message))

    async def send_framed(self, messages: bytes) -> None:
        """Send framed messages of the response, and wait until they have been written."""
        self.stream.send_data(messages)
        if self.stream.is_waiting:
            await self.stream.drain()

    def respond(self, framed: bytes) -> None:
        """Send a complete response: framed messages, and success."""
        self.send_headers()
        self.stream.send_data(framed)
        self.finish(Status.OK)

    def finish(self, status: Status, message: str | None = None) -> None:
        """End the call."""
        if self.is_done:
            return
        if self._has_answered:
            headers = Headers(outcome(status, message)) if status is not Status.OK else SUCCESS
        else:
            headers = Headers((*RESPONSE_FIELDS, *outcome(status, message)))
        self.stream.send_headers(headers, end=True)
        self.end()

    def reject(self, error: GRPCError) -> None:
        """End the call with an error."""
        self.finish(error.status, error.message)

    def on_forwarded(self, headers: Headers | None) -> None:
        """Handle forwarded headers of the response; None: the response is complete."""
        if headers is None:
            self.end()
        self._has_answered = True

    def end(self) -> None:
        """End the call, and reset it at the gateway unless the gateway ended it."""
        if self.is_done:
            return
        self.is_done = True
        if self._buffered:
            for _, size, _ in self._buffered:
                self.stream.consumed(size)
            self._buffered.clear()
        if self._gateway is not None:
            self._gateway.reset()
        if not self.stream.has_ended and not self.stream.is_closed:
            self.stream.stop_reading()
        self._owner.on_end(self)


class _GatewayResponse:
    """Forwards the gateway's response."""

    __slots__ = ("_call", "_stream")

    def __init__(self, call: Call, stream: Stream) -> None:
        self._call = call
        self._stream = stream

    def on_headers(self, headers: Headers, *, end: bool) -> None:
        """Handle headers or trailers."""
        self._call.stream.send_headers(headers, end=end)
        self._call.on_forwarded(None if end else headers)

    def on_data(self, data: bytes, size: int, *, end: bool) -> None:
        """Handle data."""
        self._call.stream.send_data(data, end=end, source=self._stream, size=size)
        if end:
            self._call.on_forwarded(None)

    def on_reset(self, code: int | None) -> None:
        """Handle a call that the gateway cancelled, or a lost gateway."""
        if code is None:
            self._call.finish(Status.UNAVAILABLE, GATEWAY_LOST)
        elif code == ErrorCodes.REFUSED_STREAM:  # the gateway has not begun it
            self._call.finish(Status.UNAVAILABLE, NO_GATEWAY)
        else:
            self._call.stream.reset(code if code != ErrorCodes.NO_ERROR else ErrorCodes.CANCEL)
            self._call.end()
