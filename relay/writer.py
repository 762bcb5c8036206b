"""Sends HTTP/2 frames over a transport, within the peer's limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from relay import frames
from relay.frames import HEAD, WINDOW, frame
from relay.headers import Headers

if TYPE_CHECKING:
    from relay.streams import Stream

WRITE_BUFFER: Final = 256 * 1024
MAX_UNSENT: Final = 1024 * 1024  # bytes; only answers to pings and settings can become so many


class WriteCoalescer:
    """Sends together what the writers of a relay write in one turn of the event loop, or while bytes are handled."""

    def __init__(self) -> None:
        self._writers: list[FrameWriter] = []
        self._is_receiving = False

    def add(self, writer: FrameWriter) -> None:
        """Take a writer that has something to send."""
        if not (self._writers or self._is_receiving):
            asyncio.get_running_loop().call_soon(self.send)
        self._writers.append(writer)

    def begin(self) -> None:
        """Bytes were received; `send` is called once they are handled."""
        self._is_receiving = True

    def send(self) -> None:
        """Send what is written."""
        self._is_receiving = False
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.flush()


class FrameWriter:
    """Writes the frames of one connection."""

    def __init__(self, coalescer: WriteCoalescer) -> None:
        self._coalescer = coalescer
        self._transport: asyncio.Transport | None = None
        self._buffer: list[bytes] = []
        self.is_paused = False  # the transport's buffer is full
        self.send_window = WINDOW  # bytes that the peer takes on all streams
        self.frame_size = frames.FRAME_SIZE  # bytes that the peer takes in one frame

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self._transport is None or self._transport.is_closing()

    def opened(self, transport: asyncio.Transport) -> None:
        """Begin to send."""
        self._transport = transport
        transport.set_write_buffer_limits(WRITE_BUFFER)

    def close(self) -> None:
        """Send what is written, and close."""
        if self._transport is not None and not self._transport.is_closing():
            self.flush()
            self._transport.close()

    def abort(self) -> None:
        """Close without sending."""
        if self._transport is not None:
            self._transport.abort()

    def write(self, data: bytes) -> None:
        """Write bytes of a frame."""
        if not self._buffer:
            self._coalescer.add(self)
        self._buffer.append(data)

    def flush(self) -> None:
        """Hand what is written to the transport."""
        chunks, self._buffer = self._buffer, []
        if not chunks or self._transport is None or self._transport.is_closing():
            return
        self._transport.write(b"".join(chunks))
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            self._transport.abort()

    def headers(self, id: int, headers: Headers, *, end: bool = False) -> None:
        """Write headers or trailers."""
        block, flags = headers.block, frames.END_STREAM if end else 0
        kind, size = frames.HEADERS, self.frame_size
        while len(block) > size:
            self.write(frame(kind, flags, id, block[:size]))
            kind, flags, block = frames.CONTINUATION, 0, block[size:]
        self.write(HEAD.pack(len(block) >> 8, len(block) & 0xFF, kind, flags | frames.END_HEADERS, id) + block)

    def sendable_bytes(self, stream: Stream) -> int:
        """Return how much data of a stream can be sent now in one frame."""
        return 0 if self.is_paused else min(stream.send_window, self.send_window, self.frame_size)

    def data(self, stream: Stream, data: bytes, *, end: bool = False) -> bool:
        """Write data in one frame, or nothing if it cannot be sent whole."""
        size = len(data)
        if self.is_paused or (
            size and (size > stream.send_window or size > self.send_window or size > self.frame_size)
        ):
            return False
        stream.send_window -= size
        self.send_window -= size
        self.write(HEAD.pack(size >> 8, size & 0xFF, frames.DATA, frames.END_STREAM if end else 0, stream.id) + data)
        return True

    def enlarge(self, id: int, size: int) -> None:
        """Let the peer send so many bytes more on a stream, or on all (0)."""
        self.write(frame(frames.WINDOW_UPDATE, 0, id, size.to_bytes(4, "big")))

    def reset(self, id: int, code: int) -> None:
        """Cancel a stream."""
        self.write(frame(frames.RST_STREAM, 0, id, code.to_bytes(4, "big")))
