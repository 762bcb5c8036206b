"""HTTP/2 frames (RFC 9113) and header blocks (RFC 7541), as far as gRPC needs them.

Header blocks are sent without dynamic table, so that equal headers always have equal bytes, which are cached. What a
peer sends is decoded by hpack; a block that did not change its dynamic table is decoded once.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import Final

from hpack import Decoder, HPACKError
from hpack.table import HeaderTable

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, HAS_PRIORITY = 0x4, 0x8, 0x20
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD: Final = struct.Struct(">HBBBI")  # size (two parts), kind, flags, stream
SETTING: Final = struct.Struct(">HI")
FRAME_SIZE: Final = 2**14  # the default, and what is accepted here
LARGEST_BLOCK: Final = 2**16  # bytes of the headers of a call
LAST_STREAM: Final = 2**31 - 1
KNOWN_BLOCKS: Final = 1024
SECRET: Final = frozenset({b"authorization"})  # never to be put into a table, by RFC 7541 7.1.3
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE: Final = re.compile(rb"[^\0\r\n]*")
_OF_CONNECTION: Final = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})

Headers = tuple[tuple[bytes, bytes], ...]


class ProtocolFault(Exception):
    """The peer has broken the protocol; `code`: the HTTP/2 error code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"HTTP/2 error {code}")
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame."""
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def unpadded(flags: int, payload: bytes) -> bytes:
    """Return the content of a DATA or HEADERS frame; raise ProtocolFault."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ProtocolFault(1)
    return payload[1 : len(payload) - payload[0]]


# ---- header blocks ----

_STATIC: Final = {entry: number for number, entry in enumerate(HeaderTable.STATIC_TABLE, 1)}


@lru_cache(KNOWN_BLOCKS)
def encode(headers: Headers) -> bytes:
    """Return the block of these headers."""
    return b"".join(_field(name, value) for name, value in headers)


def _field(name: bytes, value: bytes) -> bytes:
    if number := _STATIC.get((name, value)):
        return bytes((0x80 | number,))
    kind = b"\x10" if name in SECRET else b"\x00"
    return kind + _text(name) + _text(value)


def _text(value: bytes) -> bytes:
    size = len(value)
    if size < 0x7F:
        return bytes((size,)) + value
    size -= 0x7F
    out = bytearray(b"\x7f")
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out) + value


class _Table(HeaderTable):
    """Counts its changes."""

    changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        """Add an entry."""
        self.changes += 1
        super().add(name, value)


class HeaderDecoder:
    """Decodes the header blocks of one peer."""

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=LARGEST_BLOCK)
        self._decoder.header_table = self._table = _Table()
        self._known: dict[bytes, Headers] = {}

    def decode(self, block: bytes) -> Headers:
        """Return the headers of a block; raise ProtocolFault."""
        cached = self._known.get(block)
        if cached is not None:
            return cached
        changes = self._table.changes
        try:
            headers = tuple((bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True))
        except HPACKError:
            raise ProtocolFault(9) from None  # COMPRESSION_ERROR
        if self._table.changes != changes or (block[:1] >= b"\x20" and block[0] & 0xE0 == 0x20):  # a change of its size
            self._known.clear()
        elif len(self._known) < KNOWN_BLOCKS:
            self._known[block] = headers
        return headers


@lru_cache(KNOWN_BLOCKS)
def are_valid(headers: Headers) -> bool:
    """Whether these may be the headers of a request, and may be sent to another peer as they are."""
    pseudo = [name for name, _ in headers if name.startswith(b":")]
    return (
        set(pseudo) >= {b":method", b":path", b":scheme"}
        and len(pseudo) == len(set(pseudo))
        and all(
            _NAME.fullmatch(name.removeprefix(b":")) and _VALUE.fullmatch(value) and name not in _OF_CONNECTION
            for name, value in headers
        )
    )
