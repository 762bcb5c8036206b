"""Streams of an HTTP/2 connection, with flow control."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from h2.errors import ErrorCodes

from relay.frames import WINDOW
from relay.headers import Headers

if TYPE_CHECKING:
    from relay.http2 import Http2Connection

HALF_WINDOW: Final = WINDOW // 2


class Receiver(Protocol):
    """Callbacks of a stream."""

    def on_headers(self, headers: Headers, *, end: bool) -> None:
        """Handle headers or, after them, trailers."""

    def on_data(self, data: bytes, size: int, *, end: bool) -> None:
        """Handle data. The peer may send `size` bytes more once `Stream.consumed` is called."""

    def on_reset(self, code: int | None) -> None:
        """Handle a stream that the peer reset with an HTTP/2 error code; None: the connection is lost."""


@dataclass(slots=True)
class Piece:
    """Headers or data waiting to be sent on a stream."""

    data: bytes
    end: bool
    headers: Headers | None = None
    source: Stream | None = None  # has consumed `size` bytes once this is sent
    size: int = 0


class Stream:
    """A stream of a connection. Sending obeys the peer's flow control."""

    __slots__ = (
        "_drained",
        "_end_is_queued",
        "_is_unread",
        "_unread",
        "_unreported",
        "_waiting",
        "connection",
        "has_ended",
        "id",
        "is_closed",
        "is_long_lived",
        "send_window",
    )

    def __init__(self, connection: Http2Connection, id: int, send_window: int, *, has_ended: bool = False) -> None:
        self.id = id
        self.connection = connection
        self.send_window = send_window  # bytes that the peer takes on this stream
        self.is_closed = False
        self.is_long_lived = False  # the connection may close without waiting for it
        self.has_ended = has_ended  # the peer sends nothing more
        self._end_is_queued = False  # nothing more is to be sent
        self._is_unread = False  # data that the peer still sends is discarded
        self._unread = 0  # bytes received and not consumed
        self._unreported = 0  # bytes consumed but not reported to the peer yet
        self._waiting: deque[Piece] = deque()
        self._drained: asyncio.Future[None] | None = None

    # ---- sending ----

    def send_headers(self, headers: Headers, *, end: bool = False) -> None:
        """Send headers, or trailers after the data that waits."""
        if self.is_closed or self._end_is_queued:
            return
        self._end_is_queued = end
        writer = self.connection.writer
        if self._waiting or writer.is_paused:
            self._waiting.append(Piece(b"", end, headers))
            return
        writer.headers(self.id, headers, end=end)
        if end:
            self._close_if_over()

    def send_data(self, data: bytes, *, end: bool = False, source: Stream | None = None, size: int = 0) -> None:
        """Send data. Once it no longer waits here, `source`, which it came from, has consumed `size` bytes."""
        if self.is_closed or self._end_is_queued:
            if source is not None:
                source.consumed(size)
            return
        self._end_is_queued = end
        if self._waiting or not self.connection.writer.data(self, data, end=end):
            self._waiting.append(Piece(data, end, None, source, size))
            self.pump()
            return
        if source is not None:
            source.consumed(size)
        if end:
            self._close_if_over()

    @property
    def is_waiting(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._waiting)

    async def drain(self) -> None:
        """Wait until nothing waits to be sent."""
        while self._waiting:
            if self._drained is None:
                self._drained = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._drained)

    def pump(self) -> None:
        """Send what the peer's flow control lets through."""
        while self._waiting and self._has_sent(self._waiting[0]):
            self._done(self._waiting.popleft())
        if not self._waiting:
            self._report_drained()
            self._close_if_over()

    def _has_sent(self, piece: Piece) -> bool:
        writer = self.connection.writer
        if piece.headers is None:
            while not writer.data(self, piece.data, end=piece.end):
                size = writer.sendable_bytes(self)
                if size <= 0:
                    return False
                writer.data(self, piece.data[:size])
                piece.data = piece.data[size:]
            return True
        if not writer.is_paused:
            writer.headers(self.id, piece.headers, end=piece.end)
        return not writer.is_paused

    # ---- receiving ----

    def received(self, size: int) -> bool:
        """Count data; whether the peer was allowed to send it."""
        self._unread += size
        return self._unread + self._unreported <= WINDOW

    def consumed(self, size: int) -> None:
        """Let the peer send `size` more bytes."""
        if self.is_closed or not size:
            return
        self._unread -= size
        self._unreported += size
        if self._unreported > HALF_WINDOW and not self.has_ended:
            self.connection.writer.enlarge(self.id, self._unreported)
            self._unreported = 0
        self.connection.consumed(size)

    def stop_reading(self) -> None:
        """After everything is sent, ask the peer to send no more."""
        self._is_unread = True
        self._close_if_over()

    def ended(self) -> None:
        """Record that the peer sends nothing more."""
        self.has_ended = True
        if self._end_is_queued:
            self._close_if_over()

    # ---- the end ----

    def reset(self, code: int = ErrorCodes.CANCEL) -> None:
        """Give the stream up."""
        if not self.is_closed:
            self.connection.writer.reset(self.id, code)
            self.close()

    def close(self) -> None:
        """Close the stream and drop pending data."""
        if self.is_closed:
            return
        self.is_closed = True
        while self._waiting:
            self._done(self._waiting.popleft())
        if self._drained is not None:
            self._report_drained()
        self.connection.ended(self, self._unread)

    def _close_if_over(self) -> None:
        if not self._end_is_queued or self._waiting or self.is_closed:
            return
        if self.has_ended:
            self.close()
        elif self._is_unread:
            self.reset(ErrorCodes.NO_ERROR)

    def _report_drained(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    @staticmethod
    def _done(piece: Piece) -> None:
        if piece.source is not None:
            piece.source.consumed(piece.size)
