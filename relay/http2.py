"""HTTP/2 connections whose streams can be forwarded to each other with end-to-end flow control.

Neither h2 nor grpclib is used: a proxy needs no state machine for every stream, and headers that repeat need not be
decoded and encoded again, which makes a call four times cheaper (python -m benchmarks.relay_cost).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from relay import frames
from relay.frames import ProtocolFault, frame, unpadded
from relay.pings import Pings
from relay.reader import FrameReader
from relay.streams import WINDOW, Headers, Receiver, Stream

# More than the windows of all streams together (100 of 64 KiB): a stream that nobody reads holds up no other.
CONNECTION_WINDOW: Final = 16 * 1024 * 1024
MAX_STREAMS: Final = 100  # calls of a client at once
LARGEST_WINDOW: Final = 2**31 - 1
WRITE_BUFFER: Final = 256 * 1024
MAX_UNSENT: Final = 1024 * 1024  # bytes; only answers to pings and settings can become so many


class GatewayLost(OSError):
    """The connection ended before the call did."""


class TooManyCalls(Exception):
    """The peer accepts no more streams at the moment."""


Accept = Callable[["Stream", Headers], Receiver]


class Http2Connection(asyncio.Protocol):
    """A connection.

    Data written in one turn of the event loop is sent together. `accept` serves the peer's calls; None makes it a
    client. `keepalive`: seconds between pings, and the time a peer has to respond; 0 = no pings.
    """

    def __init__(self, accept: Accept | None = None, keepalive: float = 0) -> None:
        self._accept = accept
        self._keepalive = keepalive
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, tuple[Stream, Receiver]] = {}
        self._last_id = 0 if accept else -1  # of the streams so far
        # receiving
        self._reader = FrameReader(frames.PREFACE if accept else b"")
        self._unread, self._owed = 0, 0  # bytes, as of a stream
        # sending
        self.may_write = True
        self._out: list[bytes] = []
        self._room = WINDOW  # bytes that the peer takes on all streams
        self._first_room = WINDOW  # on a new stream
        self._frame_size = frames.FRAME_SIZE
        self._most_streams = LARGEST_WINDOW
        self._pings = Pings(self._write, self._abort)
        self.is_lost = False

    # ---- the transport ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the settings."""
        self._transport = transport  # type: ignore[assignment]
        self._transport.set_write_buffer_limits(WRITE_BUFFER)  # type: ignore[union-attr]
        limits = {SettingCodes.MAX_HEADER_LIST_SIZE: frames.LARGEST_BLOCK}
        if self._accept is None:
            self._write(frames.PREFACE)
            limits[SettingCodes.ENABLE_PUSH] = 0
        else:
            limits[SettingCodes.MAX_CONCURRENT_STREAMS] = MAX_STREAMS
        settings = b"".join(frames.SETTING.pack(code, value) for code, value in limits.items())
        self._write(frame(frames.SETTINGS, 0, 0, settings))
        self.enlarge(0, CONNECTION_WINDOW - WINDOW)
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
        """The transport's buffer is full."""
        self.may_write = False

    def resume_writing(self) -> None:
        """The transport takes more."""
        self.may_write = True
        self._pump_all()

    def close(self) -> None:
        """Send what is written, and close."""
        if self._transport is not None and not self._transport.is_closing():
            self._flush()
            self._transport.close()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if not out or self._transport is None or self._transport.is_closing():
            return
        self._transport.write(b"".join(out))
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            self._transport.abort()

    # ---- sending ----

    def open(self, headers: Headers, make: Callable[[Stream], Receiver]) -> Stream:
        """Begin a call; `make` creates its receiver. Raises GatewayLost or TooManyCalls, and then nothing was sent."""
        if self.is_lost or self._transport is None or self._transport.is_closing():
            raise GatewayLost
        if len(self._streams) >= self._most_streams:
            raise TooManyCalls
        if self._last_id + 2 > frames.LAST_STREAM:
            self.close()
            raise GatewayLost
        self._last_id += 2
        stream = Stream(self, self._last_id, self._first_room)
        self._streams[stream.id] = (stream, make(stream))
        self.send_headers(stream.id, headers)
        return stream

    async def echo(self) -> bool:
        """Wait until the peer has read everything sent so far; return False if the connection is lost before."""
        return not self.is_lost and await self._pings.echo()

    def send_headers(self, id: int, headers: Headers, *, end: bool = False) -> None:
        """Send headers or trailers."""
        block, flags = frames.encode(tuple(headers)), frames.END_STREAM if end else 0
        kind, size = frames.HEADERS, self._frame_size
        while len(block) > size:
            self._write(frame(kind, flags, id, block[:size]))
            kind, flags, block = frames.CONTINUATION, 0, block[size:]
        self._write(frame(kind, flags | frames.END_HEADERS, id, block))

    def room(self, stream: Stream) -> int:
        """Return how much data can be sent now in one frame."""
        return min(stream.room, self._room, self._frame_size) if self.may_write else 0

    def send_whole(self, stream: Stream, data: bytes, *, end: bool) -> bool:
        """Send data in one frame, or nothing if it cannot be sent whole."""
        size = len(data)
        if not self.may_write or (size and size > self.room(stream)):
            return False
        stream.room -= size
        self._room -= size
        self._write(frame(frames.DATA, frames.END_STREAM if end else 0, stream.id, data))
        return True

    def enlarge(self, id: int, size: int) -> None:
        """Let the peer send `size` more bytes on a stream, or on all (0)."""
        self._write(frame(frames.WINDOW_UPDATE, 0, id, size.to_bytes(4, "big")))

    def consumed(self, size: int) -> None:
        """Count data of a stream that is no longer held here."""
        self._unread -= size
        self._owed += size
        if self._owed > CONNECTION_WINDOW // 4:
            self.enlarge(0, self._owed)
            self._owed = 0

    def reset(self, id: int, code: int) -> None:
        """Cancel a stream."""
        self._write(frame(frames.RST_STREAM, 0, id, code.to_bytes(4, "big")))

    def forget(self, stream: Stream) -> None:
        """Remove a stream that has ended."""
        self._streams.pop(stream.id, None)

    def _pump_all(self) -> None:
        for stream, _ in list(self._streams.values()):
            stream.pump()

    # ---- receiving ----

    def data_received(self, data: bytes) -> None:
        """Handle received bytes."""
        self._pings.has_traffic = True
        try:
            for kind, flags, id, content in self._reader.feed(data):
                handler = _HANDLERS.get(kind)  # other kinds are ignored, as extensions of the protocol
                if handler is not None:
                    handler(self, flags, id, content)
        except ProtocolFault as fault:
            last = max(0, self._last_id) if self._accept else 0
            self._write(frame(frames.GOAWAY, 0, 0, last.to_bytes(4, "big") + fault.code.to_bytes(4, "big")))
            self.close()

    def _on_headers(self, flags: int, id: int, headers: frames.Headers) -> None:
        end = bool(flags & frames.END_STREAM)
        entry = self._streams.get(id)
        if entry is not None:
            stream, receiver = entry
            if self._accept is None and not end and headers[:1] and headers[0][1].startswith(b"1"):
                return  # an informational response
            if end:
                stream.ended()
            receiver.on_headers(headers, end=end)
        elif id > self._last_id:
            self._on_request(id, headers, end=end)

    def _on_request(self, id: int, headers: frames.Headers, *, end: bool) -> None:
        if self._accept is None or not id % 2:
            raise ProtocolFault(ErrorCodes.PROTOCOL_ERROR)
        self._last_id = id
        if len(self._streams) >= MAX_STREAMS:
            self.reset(id, ErrorCodes.REFUSED_STREAM)
            return
        if not frames.are_valid(headers):
            self.reset(id, ErrorCodes.PROTOCOL_ERROR)
            return
        stream = Stream(self, id, self._first_room)
        stream.has_ended = end
        receiver = self._accept(stream, headers)
        if not stream.is_closed:
            self._streams[id] = (stream, receiver)

    def _on_data(self, flags: int, id: int, payload: bytes) -> None:
        size, data = len(payload), unpadded(flags, payload)
        self._unread += size
        if self._unread + self._owed > CONNECTION_WINDOW:
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
        end = bool(flags & frames.END_STREAM)
        if end:
            stream.ended()
        receiver.on_data(data, size, end=end)

    def _on_reset(self, flags: int, id: int, payload: bytes) -> None:
        if id in self._streams:
            stream, receiver = self._streams[id]
            stream.close()
            receiver.on_reset(_number(payload))

    def _on_window(self, flags: int, id: int, payload: bytes) -> None:
        more = _number(payload) & LARGEST_WINDOW
        if not id:
            self._room += more
            if not more or self._room > LARGEST_WINDOW:
                raise ProtocolFault(ErrorCodes.FLOW_CONTROL_ERROR)
            self._pump_all()
        elif id in self._streams:
            stream = self._streams[id][0]
            stream.room += more
            if stream.room > LARGEST_WINDOW:
                raise ProtocolFault(ErrorCodes.FLOW_CONTROL_ERROR)
            stream.pump()

    def _on_settings(self, flags: int, id: int, payload: bytes) -> None:
        if flags & frames.ACK:
            return
        if len(payload) % frames.SETTING.size:
            raise ProtocolFault(ErrorCodes.FRAME_SIZE_ERROR)
        for code, value in frames.SETTING.iter_unpack(payload):
            if code == SettingCodes.INITIAL_WINDOW_SIZE:
                more, self._first_room = value - self._first_room, value
                for stream, _ in self._streams.values():
                    stream.room += more
            elif code == SettingCodes.MAX_FRAME_SIZE:
                self._frame_size = value
            elif code == SettingCodes.MAX_CONCURRENT_STREAMS:
                self._most_streams = value
        self._write(frame(frames.SETTINGS, frames.ACK, 0))
        self._pump_all()

    def _on_ping(self, flags: int, id: int, payload: bytes) -> None:
        self._pings.received(flags, payload)

    def _on_goaway(self, flags: int, id: int, payload: bytes) -> None:
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
