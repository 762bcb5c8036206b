"""Headers of HTTP/2 calls and their header blocks (RFC 7541), as far as gRPC needs them.

Header blocks are sent without dynamic table, so that equal headers always have equal bytes, which are cached. What a
peer sends is decoded by hpack; a block that did not change its dynamic table is decoded once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

from h2.errors import ErrorCodes
from hpack import Decoder, HPACKError
from hpack.table import HeaderTable

from relay.frames import ProtocolFault

MAX_HEADERS_BYTES: Final = 2**16  # bytes of the headers of a call
MAX_CACHED_BLOCKS: Final = 1024
MAX_CACHED_BLOCK_BYTES: Final = 2048  # bytes; a peer that has not shown its token may send any
SECRET: Final = frozenset({b"authorization"})  # never to be put into a table, by RFC 7541 7.1.3
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE: Final = re.compile(rb"[^\0\r\n]*")
_OF_CONNECTION: Final = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})
_STATIC: Final = {entry: number for number, entry in enumerate(HeaderTable.STATIC_TABLE, 1)}

Field = tuple[bytes, bytes]


class Headers:
    """The headers of a call, or its trailers.

    Most calls have the same, and then the same object: what follows from its fields is determined once.
    """

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = tuple(fields)

    @cached_property
    def block(self) -> bytes:
        """The encoded fields."""
        return b"".join(_encoded(name, value) for name, value in self.fields)

    @cached_property
    def metadata(self) -> Mapping[str, str]:
        """The fields as text; of equal names the last."""
        return {key.decode("latin-1"): value.decode("latin-1") for key, value in self.fields}

    @cached_property
    def are_valid(self) -> bool:
        """Whether these may be the headers of a request, and may be sent to another peer as they are."""
        pseudo = [name for name, _ in self.fields if name.startswith(b":")]
        return (
            set(pseudo) >= {b":method", b":path", b":scheme"}
            and len(pseudo) == len(set(pseudo))
            and all(
                _NAME.fullmatch(name.removeprefix(b":")) and _VALUE.fullmatch(value) and name not in _OF_CONNECTION
                for name, value in self.fields
            )
        )

    @cached_property
    def are_informational(self) -> bool:
        """Whether these come before the headers of the response (status 1xx)."""
        return self.fields[:1] != () and self.fields[0][0] == b":status" and self.fields[0][1].startswith(b"1")


def _encoded(name: bytes, value: bytes) -> bytes:
    if number := _STATIC.get((name, value)):
        return bytes((0x80 | number,))
    kind = b"\x10" if name in SECRET else b"\x00"
    return kind + _text(name) + _text(value)


def _text(value: bytes) -> bytes:
    size = len(value)
    if size < 0x7F:
        return bytes((size,)) + value
    size -= 0x7F
    output = bytearray(b"\x7f")
    while size >= 0x80:
        output.append(size & 0x7F | 0x80)
        size >>= 7
    output.append(size)
    return bytes(output) + value


class _Table(HeaderTable):
    """A dynamic table that counts its changes."""

    changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        """Add an entry."""
        self.changes += 1
        super().add(name, value)


class HeaderDecoder:
    """Decodes the header blocks of one peer."""

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=MAX_HEADERS_BYTES)
        self._decoder.header_table = self._table = _Table()
        self._known: dict[bytes, Headers] = {}

    def decode(self, block: bytes) -> Headers:
        """Return the headers of a block; raise ProtocolFault."""
        cached = self._known.get(block)
        if cached is not None:
            return cached
        changes = self._table.changes
        try:
            headers = Headers((bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True))
        except HPACKError:
            raise ProtocolFault(ErrorCodes.COMPRESSION_ERROR) from None
        if self._table.changes != changes or (block[:1] >= b"\x20" and block[0] & 0xE0 == 0x20):  # a change of its size
            self._known.clear()
        elif len(block) <= MAX_CACHED_BLOCK_BYTES and len(self._known) < MAX_CACHED_BLOCKS:
            self._known[block] = headers
        return headers
