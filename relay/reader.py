"""Splits a peer's bytes into HTTP/2 frames with complete, decoded header blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from h2.errors import ErrorCodes

from relay import frames
from relay.frames import HeaderDecoder, ProtocolFault, unpadded

Frame = tuple[int, int, int, Any]  # kind, flags, stream, payload; headers for HEADERS, whatever frames they came in


class FrameReader:
    """The frames of one connection. `preface`: what the peer has to begin with."""

    def __init__(self, preface: bytes) -> None:
        self._preface = preface
        self._unparsed = b""
        self._has_settings = False
        self._decoder = HeaderDecoder()
        self._block: tuple[int, int, bytearray] | None = None  # stream, flags and start of an incomplete header block

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete now; raise ProtocolFault."""
        if self._unparsed:
            data = self._unparsed + data
        at, length = 0, len(data)
        if self._preface:
            if not self._preface.startswith(data[: len(self._preface)]):
                raise ProtocolFault(ErrorCodes.PROTOCOL_ERROR)
            if length < len(self._preface):
                self._unparsed = data
                return
            at, self._preface = len(self._preface), b""
        while length - at >= frames.HEAD.size:
            high, low, kind, flags, id = frames.HEAD.unpack_from(data, at)
            size, begin = high << 8 | low, at + frames.HEAD.size
            if size > frames.FRAME_SIZE:
                raise ProtocolFault(ErrorCodes.FRAME_SIZE_ERROR)
            if length < begin + size:
                break
            at = begin + size
            whole = self._whole(kind, flags, id & frames.LAST_STREAM, data[begin:at])
            if whole is not None:
                yield whole
        self._unparsed = data[at:]

    def _whole(self, kind: int, flags: int, id: int, payload: bytes) -> Frame | None:
        if self._block is not None and (kind, id) != (frames.CONTINUATION, self._block[0]):
            raise ProtocolFault(ErrorCodes.PROTOCOL_ERROR)
        if kind == frames.HEADERS:
            block = unpadded(flags, payload)[5 if flags & frames.HAS_PRIORITY else 0 :]
            if flags & frames.END_HEADERS:
                return kind, flags, id, self._decoder.decode(block)
            self._block = (id, flags, bytearray(block))
            return None
        if kind == frames.CONTINUATION:
            return self._continued(flags, id, payload)
        self._has_settings |= kind == frames.SETTINGS
        if not self._has_settings:
            raise ProtocolFault(ErrorCodes.PROTOCOL_ERROR)
        return kind, flags, id, payload

    def _continued(self, flags: int, id: int, payload: bytes) -> Frame | None:
        if self._block is None:
            raise ProtocolFault(ErrorCodes.PROTOCOL_ERROR)
        _, first, block = self._block
        block += payload
        if len(block) > frames.LARGEST_BLOCK:
            raise ProtocolFault(ErrorCodes.ENHANCE_YOUR_CALM)
        if not flags & frames.END_HEADERS:
            return None
        self._block = None
        return frames.HEADERS, first, id, self._decoder.decode(bytes(block))
