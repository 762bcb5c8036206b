"""HTTP/2 connections whose streams can be forwarded to each other with end-to-end flow control.

The protocol is implemented by h2. grpclib is not used, because it decodes and encodes every message of a call, at about
twice the cost (python -m benchmarks.relay_cost).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import H2Error, TooManyStreamsError

from relay.streams import Headers, Piece, Receiver, Stream

# More than the windows of all streams together (100 of 64 KiB): a stream that nobody reads holds up no other.
CONNECTION_WINDOW: Final = 16 * 1024 * 1024
DEFAULT_WINDOW: Final = 2**16 - 1
WRITE_BUFFER: Final = 256 * 1024


class ConnectionLost(OSError):
    """The connection ended before the call did."""


class TooManyCalls(Exception):
    """The peer accepts no more streams at the moment."""


Accept = Callable[["Stream", Headers], Receiver]


class _H2(H2Connection):
    MAX_CLOSED_STREAMS = 1024  # they are remembered only to name the fault of a late frame


class Connection(asyncio.Protocol):
    """A connection.

    Data written in one turn of the event loop is sent together. `accept` serves the peer's calls; None makes it a
    client. `keepalive`: seconds between pings, and the time a peer has to respond; 0 = no pings.
    """

    def __init__(self, accept: Accept | None = None, keepalive: float = 0) -> None:
        self._accept = accept
        self._keepalive = keepalive
        self._h2: Any = _H2(_configuration(is_client=accept is None))
        self._streams: dict[int, tuple[Stream, Receiver]] = {}
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._flushes = False
        self._may_write = True
        self._echoes: deque[asyncio.Future[bool]] = deque()
        self._is_heard = True
        self._timer: asyncio.TimerHandle | None = None
        self.is_lost = False

    # ---- the transport ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = transport  # type: ignore[assignment]
        self._transport.set_write_buffer_limits(WRITE_BUFFER)  # type: ignore[union-attr]
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW - DEFAULT_WINDOW)
        self._flush()
        if self._keepalive:
            self._timer = self._loop.call_later(self._keepalive, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.is_lost = True
        if self._timer is not None:
            self._timer.cancel()
        for echo in self._echoes:
            if not echo.done():
                echo.set_result(False)
        for stream, receiver in list(self._streams.values()):
            stream.close()
            receiver.on_reset(None)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._may_write = False

    def resume_writing(self) -> None:
        """The transport takes more."""
        self._may_write = True
        self._pump_all()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._is_heard = True
        try:
            heard = self._h2.receive_data(data)
        except H2Error:  # h2 has prepared the GOAWAY that says why
            self.close()
            return
        for event in heard:
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, event)

    def close(self) -> None:
        """Send what is written, and close."""
        if self._transport is not None and not self.is_lost:
            self._flush()
            self._transport.close()

    def _check(self) -> None:
        if not self._is_heard and self._transport is not None:
            self._transport.abort()
            return
        self._is_heard = False
        self._do(self._h2.ping, b"alive...")
        self._timer = self._loop.call_later(self._keepalive, self._check)

    def _do(self, action: Callable[..., None], *values: object) -> None:
        """Have h2 write something, unless the stream or the connection is over."""
        try:
            action(*values)
        except H2Error:
            return
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushes:
            self._flushes = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushes = False
        data = self._h2.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    # ---- sending ----

    def open(self, headers: Headers, make: Callable[[Stream], Receiver]) -> Stream:
        """Begin a call; `make` gives its receiver. ConnectionLost, TooManyCalls: nothing was sent."""
        if self.is_lost:
            raise ConnectionLost
        id = self._h2.get_next_available_stream_id()
        try:
            self._h2.send_headers(id, headers)
        except TooManyStreamsError:
            raise TooManyCalls from None
        except H2Error:
            raise ConnectionLost from None
        stream = Stream(self, id)
        self._streams[id] = (stream, make(stream))
        self._flush_soon()
        return stream

    async def echo(self) -> bool:
        """Wait until the peer has read everything sent so far; return False if the connection is lost before."""
        if self.is_lost:
            return False
        echo: asyncio.Future[bool] = self._loop.create_future()
        self._echoes.append(echo)
        self._do(self._h2.ping, b"all read")
        return await echo

    def send(self, id: int, piece: Piece) -> bool:
        """Send a piece, or as much of it as may be sent; whether that was all."""
        if not self._may_write:
            return False
        try:
            if piece.headers is not None:
                self._h2.send_headers(id, piece.headers, end_stream=piece.end)
            elif not self._send_data(id, piece):
                return False
        except H2Error:  # the peer has ended the stream; it is told apart when that is read
            return True
        self._flush_soon()
        return True

    def _send_data(self, id: int, piece: Piece) -> bool:
        while piece.data:
            room = min(self._h2.local_flow_control_window(id), self._h2.max_outbound_frame_size)
            if len(piece.data) <= room:
                break
            if room <= 0:
                return False
            self._h2.send_data(id, piece.data[:room])
            piece.data = piece.data[room:]
            self._flush_soon()
        self._h2.send_data(id, piece.data, end_stream=piece.end)
        return True

    def acknowledge(self, id: int, size: int) -> None:
        """Let the peer send so many bytes more on a stream."""
        if size:
            self._do(self._h2.acknowledge_received_data, size, id)

    def reset(self, id: int, code: int) -> None:
        """Give a stream up."""
        self._do(self._h2.reset_stream, id, code)

    def forget(self, stream: Stream) -> None:
        """A stream is over."""
        self._streams.pop(stream.id, None)

    def _pump_all(self) -> None:
        for stream, _ in list(self._streams.values()):
            stream.pump()

    # ---- hearing ----

    def _on_request(self, event: events.RequestReceived) -> None:
        assert self._accept is not None
        stream = Stream(self, event.stream_id)
        stream.has_ended = event.stream_ended is not None
        receiver = self._accept(stream, event.headers)
        if not stream.is_closed:
            self._streams[stream.id] = (stream, receiver)

    def _on_headers(self, event: events.ResponseReceived | events.TrailersReceived) -> None:
        self._tell(event, lambda receiver, end: receiver.on_headers(event.headers, end=end))

    def _on_data(self, event: events.DataReceived) -> None:
        size = event.flow_controlled_length
        if event.stream_id not in self._streams:
            self.acknowledge(event.stream_id, size)
            return
        self._tell(event, lambda receiver, end: receiver.on_data(event.data, size, end=end))

    def _tell(self, event: Any, tell: Callable[[Receiver, bool], None]) -> None:
        if event.stream_id not in self._streams:
            return
        stream, receiver = self._streams[event.stream_id]
        end = event.stream_ended is not None
        if end:
            stream.ended()
        tell(receiver, end)

    def _on_reset(self, event: events.StreamReset) -> None:
        if event.stream_id in self._streams:
            stream, receiver = self._streams[event.stream_id]
            stream.close()
            receiver.on_reset(event.error_code)

    def _on_window(self, event: events.WindowUpdated) -> None:
        if not event.stream_id:
            self._pump_all()
        elif event.stream_id in self._streams:
            self._streams[event.stream_id][0].pump()

    def _on_settings(self, _: events.RemoteSettingsChanged) -> None:
        self._pump_all()
        self._flush_soon()

    def _on_ping(self, _: events.PingReceived) -> None:
        self._flush_soon()  # h2 has written the answer

    def _on_echo(self, event: events.PingAckReceived) -> None:
        if event.ping_data == b"all read" and self._echoes:
            echo = self._echoes.popleft()
            if not echo.done():
                echo.set_result(True)

    def _on_goaway(self, _: events.ConnectionTerminated) -> None:
        self.close()


_HANDLERS: Final[dict[type[events.Event], Callable[[Connection, Any], None]]] = {
    events.RequestReceived: Connection._on_request,
    events.ResponseReceived: Connection._on_headers,
    events.TrailersReceived: Connection._on_headers,
    events.DataReceived: Connection._on_data,
    events.StreamReset: Connection._on_reset,
    events.WindowUpdated: Connection._on_window,
    events.RemoteSettingsChanged: Connection._on_settings,
    events.PingReceived: Connection._on_ping,
    events.PingAckReceived: Connection._on_echo,
    events.ConnectionTerminated: Connection._on_goaway,
}


def _configuration(*, is_client: bool) -> H2Configuration:
    """Return the configuration: only headers from clients are validated, all others come from h2 or this package."""
    return H2Configuration(
        client_side=is_client,
        validate_inbound_headers=not is_client,
        normalize_inbound_headers=not is_client,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
