"""HTTP/2 frames (RFC 9113), as far as gRPC needs them."""

from __future__ import annotations

import struct
from typing import Final

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, HAS_PRIORITY = 0x4, 0x8, 0x20
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD: Final = struct.Struct(">HBBBI")  # size (two parts), kind, flags, stream
SETTING: Final = struct.Struct(">HI")
FRAME_SIZE: Final = 2**14  # the default, and what is accepted here
WINDOW: Final = 2**16 - 1  # bytes that a peer may send before they are consumed: the default of HTTP/2
LAST_STREAM: Final = 2**31 - 1


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
