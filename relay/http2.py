"""HTTP/2 connections whose streams can be forwarded to each other with end-to-end flow control.

Neither h2 nor grpclib is used: a proxy needs no state machine for every stream, and headers that repeat need not be
decoded and encoded again, which makes a call four times cheaper (python -m benchmarks.relay_cost).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from relay import frames
from relay.frames import WINDOW, ProtocolFault, frame, unpadded
from relay.headers import MAX_HEADERS_BYTES, Headers
from relay.pings import Pings
from relay.reader import FrameReader
from relay.streams import Receiver, Stream
from relay.writer import FrameWriter, WriteCoalescer

# More than the windows of all streams together (100 of 64 KiB): a stream that is not read does not block others.
CONNECTION_WINDOW: Final = 16 * 1024 * 1024
MAX_STREAMS: Final = 100  # concurrent calls of a client
MAX_WINDOW: Final = 2**31 - 1
LEAVE_SECONDS: Final = 10.0  # for calls under way when the peer has announced the end of the connection


class GatewayLost(OSError):
    """The connection ended before the call did."""


class TooManyCalls(Exception):
    """The peer accepts no more streams at the moment."""


Accept = Callable[[Stream, Headers], Receiver]


class Http2Connection(asyncio.Protocol):
    """A connection.

    `accept` serves the peer's calls; None makes it a client. `keepalive`: seconds between pings, and the time a peer
    has to respond; 0 = no pings. `coalescer`: of connections that forward to each other.
    """

    def __init__(
        self, accept: Accept | None = None, keepalive: float = 0, coalescer: WriteCoalescer | None = None
    ) -> None:
        self._accept = accept
        self._keepalive = keepalive
        self._streams: dict[int, tuple[Stream, Receiver]] = {}
        self._last_id = 0 if accept else -1  # of the streams so far
        self._reader = FrameReader(frames.PREFACE if accept else b"")
        self._unread, self._unreported = 0, 0  # bytes, as of a stream
        self._initial_send_window = WINDOW  # bytes that the peer takes on a new stream
        self._max_streams = MAX_WINDOW
        self._coalescer = coalescer or WriteCoalescer()
        self.writer = FrameWriter(self._coalescer)
        self._pings = Pings(self.writer)
        self.is_lost = False
        self.is_leaving = False  # the peer accepts no more calls

    # ---- the transport ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the settings."""
        self.writer.opened(cast("asyncio.Transport", transport))  # uvloop's is of no such class
        limits = {SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADERS_BYTES}
        if self._accept is None:
            self.writer.write(frames.PREFACE)
            limits[SettingCodes.ENABLE_PUSH] = 0
        else:
            limits[SettingCodes.MAX_CONCURRENT_STREAMS] = MAX_STREAMS
        settings = b"".join(frames.SETTING.pack(code, value) for code, value in limits.items())
        self.writer.write(frame(frames.SETTINGS, 0, 0, settings))
        self.writer.enlarge(0, CONNECTION_WINDOW - WINDOW)
        if self._keepalive:
            self._pings.start(self._keepalive)

    def connection_lost(self, exc: Exception | None) -> None:
        """End all streams."""
        self.is_lost = True
        self._pings.stop()
        for stream, receiver in list(self._streams.values()):
            stream.close()
            receiver.on_reset(None)

    def pause_writing(self) -> None:
        """Stop writing: the transport's buffer is full."""
        self.writer.is_paused = True

    def resume_writing(self) -> None:
        """Continue writing: the transport's buffer has space again."""
        self.writer.is_paused = False
        self._pump_all()

    def close(self) -> None:
        """Send what is written, and close."""
        self.writer.close()

    # ---- streams ----

    def open(self, headers: Headers, make: Callable[[Stream], Receiver]) -> Stream:
        """Begin a call; `make` creates its receiver. Raises GatewayLost or TooManyCalls, and then nothing was sent."""
        if self.is_lost or self.is_leaving or self.writer.is_closed:
            raise GatewayLost
        if len(self._streams) >= self._max_streams:
            raise TooManyCalls
        if self._last_id + 2 > frames.LAST_STREAM:
            self.close()
            raise GatewayLost
        self._last_id += 2
        stream = Stream(self, self._last_id, self._initial_send_window)
        self._streams[stream.id] = (stream, make(stream))
        self.writer.headers(stream.id, headers)
        return stream

    async def wait_until_read(self) -> bool:
        """Wait until the peer has read everything sent so far; return False if the connection is lost before."""
        return not self.is_lost and await self._pings.wait_until_read()

    def consumed(self, size: int) -> None:
        """Count data of a stream that is no longer held here."""
        self._unread -= size
        self._unreported += size
        if self._unreported > CONNECTION_WINDOW // 4:
            self.writer.enlarge(0, self._unreported)
            self._unreported = 0

    def ended(self, stream: Stream, unread: int) -> None:
        """Remove a stream that has ended, with its unread data."""
        if unread:
            self.consumed(unread)
        self._streams.pop(stream.id, None)
        if self.is_leaving:
            self._close_if_unused()

    def _pump_all(self) -> None:
        for stream, _ in list(self._streams.values()):
            if stream.is_waiting:
                stream.pump()

    # ---- receiving ----

    def data_received(self, data: bytes) -> None:
        """Handle received bytes."""
        self._pings.has_traffic = True
        self._coalescer.begin()
        try:
            for kind, flags, id, content in self._reader.feed(data):
                handler = _HANDLERS.get(kind)  # other kinds are ignored, as extensions of the protocol
                if handler is not None:
                    handler(self, flags, id, content)
        except ProtocolFault as fault:
            last = max(0, self._last_id) if self._accept else 0
            self.writer.write(frame(frames.GOAWAY, 0, 0, last.to_bytes(4, "big") + fault.code.to_bytes(4, "big")))
            self.close()
        finally:
            self._coalescer.send()

    def _on_headers(self, flags: int, id: int, headers: Headers) -> None:
        end = flags & frames.END_STREAM == frames.END_STREAM
        entry = self._streams.get(id)
        if entry is not None:
            stream, receiver = entry
            if end:
                stream.ended()
            elif self._accept is None and headers.are_informational:
                return
            receiver.on_headers(headers, end=end)
        elif id > self._last_id:
            self._on_request(id, headers, end=end)

    def _on_request(self, id: int, headers: Headers, *, end: bool) -> None:
        if self._accept is None or not id % 2:
            raise ProtocolFault(ErrorCodes.PROTOCOL_ERROR)
        self._last_id = id
        if len(self._streams) >= MAX_STREAMS:
            self.writer.reset(id, ErrorCodes.REFUSED_STREAM)
            return
        if not headers.are_valid:
            self.writer.reset(id, ErrorCodes.PROTOCOL_ERROR)
            return
        stream = Stream(self, id, self._initial_send_window, has_ended=end)
        receiver = self._accept(stream, headers)
        if not stream.is_closed:
            self._streams[id] = (stream, receiver)

    def _on_data(self, flags: int, id: int, payload: bytes) -> None:
        size = len(payload)
        data = unpadded(flags, payload) if flags & frames.PADDED else payload
        self._unread += size
        if self._unread + self._unreported > CONNECTION_WINDOW:
            raise ProtocolFault(ErrorCodes.FLOW_CONTROL_ERROR)
        entry = self._streams.get(id)
        if entry is None:
            if id > self._last_id:
                raise ProtocolFault(ErrorCodes.PROTOCOL_ERROR)
            self.consumed(size)  # it was sent before the peer knew of the end
            return
        stream, receiver = entry
        if stream.has_ended or not stream.received(size):
            raise ProtocolFault(ErrorCodes.STREAM_CLOSED if stream.has_ended else ErrorCodes.FLOW_CONTROL_ERROR)
        end = flags & frames.END_STREAM == frames.END_STREAM
        if end:
            stream.ended()
        receiver.on_data(data, size, end=end)

    def _on_reset(self, flags: int, id: int, payload: bytes) -> None:
        if id in self._streams:
            stream, receiver = self._streams[id]
            stream.close()
            receiver.on_reset(_number(payload))

    def _on_window(self, flags: int, id: int, payload: bytes) -> None:
        increment = _number(payload) & MAX_WINDOW
        if not id:
            self.writer.send_window += increment
            if not increment or self.writer.send_window > MAX_WINDOW:
                raise ProtocolFault(ErrorCodes.FLOW_CONTROL_ERROR)
            self._pump_all()
        elif id in self._streams:
            stream = self._streams[id][0]
            stream.send_window += increment
            if stream.send_window > MAX_WINDOW:
                raise ProtocolFault(ErrorCodes.FLOW_CONTROL_ERROR)
            stream.pump()

    def _on_settings(self, flags: int, id: int, payload: bytes) -> None:
        if flags & frames.ACK:
            return
        if len(payload) % frames.SETTING.size:
            raise ProtocolFault(ErrorCodes.FRAME_SIZE_ERROR)
        for code, value in frames.SETTING.iter_unpack(payload):
            if code == SettingCodes.INITIAL_WINDOW_SIZE:
                increment, self._initial_send_window = value - self._initial_send_window, value
                for stream, _ in self._streams.values():
                    stream.send_window += increment
            elif code == SettingCodes.MAX_FRAME_SIZE:
                if not frames.FRAME_SIZE <= value < 2**24:
                    raise ProtocolFault(ErrorCodes.PROTOCOL_ERROR)
                self.writer.frame_size = value
            elif code == SettingCodes.MAX_CONCURRENT_STREAMS:
                self._max_streams = value
        self.writer.write(frame(frames.SETTINGS, frames.ACK, 0))
        self._pump_all()

    def _on_ping(self, flags: int, id: int, payload: bytes) -> None:
        self._pings.received(flags, payload)

    def _on_goaway(self, flags: int, id: int, payload: bytes) -> None:
        """End the calls that the peer has not begun; those under way go on, unless there was an error."""
        was_leaving, self.is_leaving = self.is_leaving, True
        last, is_error = _number(payload[:4]) & frames.LAST_STREAM, any(payload[4:8])
        refused = [pair for id, pair in self._streams.items() if self._accept is None and id > last]
        for stream, receiver in refused:
            stream.close()
            receiver.on_reset(ErrorCodes.REFUSED_STREAM)
        if not was_leaving:  # the peer may say it again, with a lower number
            asyncio.get_running_loop().call_later(LEAVE_SECONDS, self.writer.abort)
        self._close_if_unused(is_error)

    def _close_if_unused(self, force: bool = False) -> None:
        if force or all(stream.is_long_lived for stream, _ in self._streams.values()):
            self.close()

    def _on_push(self, flags: int, id: int, payload: bytes) -> None:
        raise ProtocolFault(ErrorCodes.PROTOCOL_ERROR)


def _number(payload: bytes) -> int:
    if len(payload) != 4:
        raise ProtocolFault(ErrorCodes.FRAME_SIZE_ERROR)
    return int.from_bytes(payload, "big")


_HANDLERS: Final[dict[int, Callable[[Http2Connection, int, int, Any], None]]] = {
    frames.HEADERS: Http2Connection._on_headers,
    frames.DATA: Http2Connection._on_data,
    frames.RST_STREAM: Http2Connection._on_reset,
    frames.WINDOW_UPDATE: Http2Connection._on_window,
    frames.SETTINGS: Http2Connection._on_settings,
    frames.PING: Http2Connection._on_ping,
    frames.GOAWAY: Http2Connection._on_goaway,
    frames.PUSH_PROMISE: Http2Connection._on_push,
}
