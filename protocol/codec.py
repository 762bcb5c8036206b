"""protobuf codec that accepts invalid UTF-8 in strings.

JavaScript gateways send lone surrogates (half an emoji) as three bytes that strict decoders reject. One such name must
not fail the whole message; invalid text becomes U+FFFD.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from grpclib.encoding.proto import ProtoCodec

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types; groups (3 and 4) are not used
MAX_DEPTH: Final = 20
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


class LenientCodec(ProtoCodec):
    """protobuf codec that replaces invalid text."""

    def decode(self, data: bytes, message_type: Any) -> Any:
        """Decode a message; raise DecodeError if more than its text is invalid."""
        try:
            return message_type.FromString(data)
        except DecodeError:
            return message_type.FromString(with_valid_text(data, message_type))


def with_valid_text(data: bytes, message_type: type[Message]) -> bytes:
    """Return the encoded message with valid UTF-8 in all strings; raise DecodeError if it is not a message."""
    return _repaired(data, message_type.DESCRIPTOR, 0)


def clean(text: str) -> str:
    """Replace NUL and lone surrogates, which databases and protobuf reject, by U+FFFD."""
    if text.isascii():
        return text.replace("\0", REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", REPLACEMENT)


def clean_json(value: Any) -> Any:
    """Clean all strings of a decoded JSON value; JSON escapes can produce lone surrogates and NUL."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [clean_json(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): clean_json(item) for key, item in value.items()}
    return value


def _repaired(data: bytes, message: Any, depth: int) -> bytes:
    if depth > MAX_DEPTH:
        raise DecodeError("nested too deeply")
    output = bytearray()
    for number, wire_type, encoded_tag, body in _fields(data):
        field = message.fields_by_number.get(number)
        if wire_type == BYTES and field is not None:
            if field.type == FieldDescriptor.TYPE_STRING:
                body = body.decode("utf-8", "replace").encode()  # noqa: PLW2901
            elif field.message_type is not None:
                body = _repaired(body, field.message_type, depth + 1)  # noqa: PLW2901
        output += encoded_tag
        if wire_type == BYTES:
            output += _varint(len(body))
        output += body
    return bytes(output)


def _fields(data: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Yield number, wire type, encoded tag and content of each field; the content of BYTES without its length."""
    position = 0
    while position < len(data):
        start = position
        tag, position = _read_varint(data, position)
        encoded_tag, wire_type = data[start:position], tag & 7
        if wire_type == VARINT:
            end = _read_varint(data, position)[1]
        elif wire_type == FIXED64:
            end = position + 8
        elif wire_type == FIXED32:
            end = position + 4
        elif wire_type == BYTES:
            length, position = _read_varint(data, position)
            end = position + length
        else:
            raise DecodeError(f"wire type {wire_type}")
        if end > len(data):
            raise DecodeError("cut off")
        yield tag >> 3, wire_type, encoded_tag, data[position:end]
        position = end


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise DecodeError("bad varint")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _varint(value: int) -> bytes:
    output = bytearray()
    while value > 0x7F:
        output.append(value & 0x7F | 0x80)
        value >>= 7
    output.append(value)
    return bytes(output)
