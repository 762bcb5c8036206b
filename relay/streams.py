"""Streams of an HTTP/2 connection, with flow control."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from h2.errors import ErrorCodes

if TYPE_CHECKING:
    from relay.http2 import Connection

Headers = Sequence[tuple[bytes, bytes]]


class Receiver(Protocol):
    """Callbacks for what arrives on a stream."""

    def on_headers(self, headers: Headers, *, end: bool) -> None:
        """Headers or, after them, trailers."""

    def on_data(self, data: bytes, size: int, *, end: bool) -> None:
        """Data. The peer may send `size` bytes more once `Stream.consumed` is called."""

    def on_reset(self, code: int | None) -> None:
        """The peer gave the stream up, for an HTTP/2 error code; None: the connection is lost."""


@dataclass(slots=True)
class Piece:
    """Something to be sent on a stream: headers, or data."""

    data: bytes
    end: bool
    headers: Headers | None = None
    sent: Callable[[], None] | None = None


class Stream:
    """A stream of a connection. Sending obeys the peer's flow control."""

    def __init__(self, connection: Connection, id: int) -> None:
        self.id = id
        self.connection = connection
        self.is_closed = False
        self.has_ended = False  # the peer sends nothing more
        self._ends = False  # nothing more is to be sent
        self._is_unread = False  # what the peer still sends is of no use
        self._waiting: deque[Piece] = deque()
        self._drained = asyncio.Event()

    def send_headers(self, headers: Headers, *, end: bool = False) -> None:
        """Send headers, or trailers after the data that waits."""
        self._send(Piece(b"", end, headers))

    def send_data(self, data: bytes, *, end: bool = False, sent: Callable[[], None] | None = None) -> None:
        """Send data; `sent` is called when it no longer waits here."""
        self._send(Piece(data, end, None, sent))

    async def drain(self) -> None:
        """Wait until nothing waits to be sent."""
        while self._waiting:
            self._drained.clear()
            await self._drained.wait()

    def consumed(self, size: int) -> None:
        """Let the peer send so many bytes more."""
        self.connection.acknowledge(self.id, size)

    def reset(self, code: int = ErrorCodes.CANCEL) -> None:
        """Give the stream up."""
        if not self.is_closed:
            self.connection.reset(self.id, code)
            self.close()

    def close(self) -> None:
        """Close the stream and drop pending data."""
        self.is_closed = True
        while self._waiting:
            self._done(self._waiting.popleft())
        self._drained.set()
        self.connection.forget(self)

    def stop_reading(self) -> None:
        """After all is sent, ask the peer to send no more."""
        self._is_unread = True
        self._close_if_over()

    def ended(self) -> None:
        """The peer sends nothing more."""
        self.has_ended = True
        self._close_if_over()

    def pump(self) -> None:
        """Send what the peer's flow control lets through."""
        while self._waiting and self.connection.send(self.id, self._waiting[0]):
            self._done(self._waiting.popleft())
        if not self._waiting:
            self._drained.set()
            self._close_if_over()

    def _send(self, piece: Piece) -> None:
        if self.is_closed or self._ends:
            self._done(piece)
            return
        self._ends = piece.end
        self._waiting.append(piece)
        self.pump()

    def _close_if_over(self) -> None:
        if not self._ends or self._waiting or self.is_closed:
            return
        if self.has_ended:
            self.close()
        elif self._is_unread:
            self.reset(ErrorCodes.NO_ERROR)

    @staticmethod
    def _done(piece: Piece) -> None:
        if piece.sent is not None:
            piece.sent()
