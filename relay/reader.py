"""Splits a peer's bytes into HTTP/2 frames with complete, decoded header blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from h2.errors import ErrorCodes

from relay import frames
from relay.frames import ProtocolFault, unpadded
from relay.headers import MAX_HEADERS_BYTES, HeaderDecoder

Frame = tuple[int, int, int, Any]  # kind, flags, stream, payload; Headers for HEADERS, whatever frames they came in
HEAD_SIZE: Final = frames.HEAD.size
_FORM: Final = frames.END_HEADERS | frames.PADDED | frames.HAS_PRIORITY


class FrameReader:
    """Reads the frames of one connection. `preface`: the bytes with which the peer must begin."""

    def __init__(self, preface: bytes) -> None:
        self._preface = preface
        self._unparsed = b""
        self._decoder = HeaderDecoder()
        self._has_settings = False
        self._block: tuple[int, int, bytearray] | None = None  # stream, flags and start of an incomplete header block
        self._expects_any_frame = False  # the settings are here, and no header block is incomplete

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete now; raise ProtocolFault."""
        if self._unparsed:
            data = self._unparsed + data
        position, length = 0, len(data)
        if self._preface:
            if not self._preface.startswith(data[: len(self._preface)]):
                raise ProtocolFault(ErrorCodes.PROTOCOL_ERROR)
            if length < len(self._preface):
                self._unparsed = data
                return
            position, self._preface = len(self._preface), b""
        unpack, decode = frames.HEAD.unpack_from, self._decoder.decode
        while length - position >= HEAD_SIZE:
            size_high, size_low, kind, flags, id = unpack(data, position)
            size, begin = size_high << 8 | size_low, position + HEAD_SIZE
            if size > frames.FRAME_SIZE:
                raise ProtocolFault(ErrorCodes.FRAME_SIZE_ERROR)
            if length < begin + size:
                break
            position = begin + size
            id &= frames.LAST_STREAM
            # nearly all frames are of the first two forms
            if kind == frames.DATA and self._expects_any_frame:
                yield kind, flags, id, data[begin:position]
            elif kind == frames.HEADERS and self._expects_any_frame and flags & _FORM == frames.END_HEADERS:
                yield kind, flags, id, decode(data[begin:position])
            elif (complete := self._complete_frame(kind, flags, id, data[begin:position])) is not None:
                yield complete
        self._unparsed = data[position:]

    def _complete_frame(self, kind: int, flags: int, id: int, payload: bytes) -> Frame | None:
        self._has_settings |= kind == frames.SETTINGS
        expected = self._block is None or (kind, id) == (frames.CONTINUATION, self._block[0])
        if not (self._has_settings and expected):
            raise ProtocolFault(ErrorCodes.PROTOCOL_ERROR)
        if kind == frames.HEADERS:
            start = unpadded(flags, payload)[5 if flags & frames.HAS_PRIORITY else 0 :]
            self._block = (id, flags, bytearray(start))
        elif kind == frames.CONTINUATION:
            self._continue(payload)
        if self._block is not None and not flags & frames.END_HEADERS:
            self._expects_any_frame = False
            return None
        self._expects_any_frame = True
        if self._block is None:
            return kind, flags, id, payload
        (_, first, block), self._block = self._block, None
        return frames.HEADERS, first, id, self._decoder.decode(bytes(block))

    def _continue(self, payload: bytes) -> None:
        if self._block is None:
            raise ProtocolFault(ErrorCodes.PROTOCOL_ERROR)
        block = self._block[2]
        block += payload
        if len(block) > MAX_HEADERS_BYTES:
            raise ProtocolFault(ErrorCodes.ENHANCE_YOUR_CALM)
