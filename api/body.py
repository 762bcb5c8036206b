"""Parsing of request bodies. Every error is InvalidParameter (1001) or BodyTooLarge (1006).

The message of 1001 is fixed; its detail, which is logged, names the field, what was sent, and what is allowed. It never
contains the value: that may be a message or a token.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from json import JSONDecodeError
from typing import Any, Final

from aiohttp import web

from errors import BodyTooLarge, InvalidParameter, NotFound
from models.schema import MAX_ID
from services.messaging.attachments import MAX_ATTACHMENT
from services.strict_json import decode

READ_TIMEOUT: Final = 10.0  # seconds for the body to arrive
LARGE_READ_TIMEOUT: Final = 60.0
MAX_BYTES: Final = 64 * 1024
MAX_LARGE_BYTES: Final = MAX_ATTACHMENT * 4 // 3 + MAX_BYTES  # a file as base64, plus the other fields
MAX_CHARACTERS: Final = 256
MAX_TEXT: Final = 4000
MAX_MENTIONS: Final = 100
_MAX_LISTED_FIELDS: Final = 5  # unknown fields that an error lists
_TYPE_NAMES: Final[dict[type, str]] = {
    type(None): "missing or null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
}
RAW_BODY: Final = web.RequestKey("raw", bytes)  # a body that was read before its handler asks for it
# Control characters, and halves of surrogate pairs: JSON can escape these, UTF-8 cannot carry them.
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# newlines and tabs are allowed
_FORBIDDEN_IN_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


async def read_object(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of the body, regardless of the content type."""
    return await _read_object(request, MAX_BYTES, READ_TIMEOUT)


async def read_large_object(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of a body that may contain a file."""
    large = request.clone(client_max_size=MAX_LARGE_BYTES)
    return await _read_object(large, MAX_LARGE_BYTES, LARGE_READ_TIMEOUT)


async def read_body(request: web.BaseRequest, timeout: float = READ_TIMEOUT) -> bytes:
    """Return the body; it must arrive within `timeout` seconds."""
    try:
        return await request.read() if request.content.is_eof() else await _read_incomplete(request, timeout)
    except (web.RequestPayloadError, TimeoutError) as error:
        raise InvalidParameter(f"body: cannot be read: {type(error).__name__}") from None


async def read_ahead(request: web.Request, *, large: bool) -> bytes:
    """Return the body before the handler reads it, and keep it for the handler; BodyTooLarge, InvalidParameter."""
    if RAW_BODY not in request:
        max_bytes, timeout = (MAX_LARGE_BYTES, LARGE_READ_TIMEOUT) if large else (MAX_BYTES, READ_TIMEOUT)
        request[RAW_BODY] = await _read_whole(request.clone(client_max_size=max_bytes), max_bytes, timeout)
    return request[RAW_BODY]


async def _read_object(request: web.BaseRequest, max_bytes: int, timeout: float) -> dict[str, Any]:
    raw = request[RAW_BODY] if RAW_BODY in request else await _read_whole(request, max_bytes, timeout)
    try:
        value = decode(raw.decode())
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, JSONDecodeError) else type(error).__name__
        raise InvalidParameter(f"body: not JSON ({why}); allowed: a JSON object in UTF-8") from None
    if not isinstance(value, dict):
        raise rejected("body", value, "a JSON object")
    return value


async def _read_whole(request: web.BaseRequest, max_bytes: int, timeout: float) -> bytes:
    if (request.content_length or 0) > max_bytes:  # otherwise aiohttp reports it after reading the whole body
        raise BodyTooLarge(f"{request.content_length} bytes")
    return await read_body(request, timeout)


async def _read_incomplete(request: web.BaseRequest, timeout: float) -> bytes:
    """Read a body that has not fully arrived, with a timeout: aiohttp waits forever on a broken chunk or a stalled
    client.
    """
    async with asyncio.timeout(timeout):
        return await request.read()


def without_nulls(body: Mapping[str, Any], *may_be_null: str) -> dict[str, Any]:
    """Return the body without those of the named fields that are null: many clients send null for unset fields."""
    return {name: value for name, value in body.items() if value is not None or name not in may_be_null}


def rejected(name: str, value: object, allowed: str) -> InvalidParameter:
    """Return the error of a field with a wrong value, described by its type."""
    if isinstance(value, str):
        description = f"a text of {len(value)} characters" if value.strip() else "empty"
        description += " with control characters" if _FORBIDDEN.search(value.replace("\n", "")) else ""
        description += " in several lines" if "\n" in value else ""
    else:
        description = _TYPE_NAMES.get(type(value), type(value).__name__)
    return InvalidParameter(f"{name}: {description}; allowed: {allowed}")


def reject_unknown_fields(body: Mapping[str, Any], *names: str) -> None:
    """Raise InvalidParameter if the body has other fields."""
    unknown = [repr(name[:MAX_CHARACTERS]) for name in body if name not in names]
    if unknown:
        raise InvalidParameter(f"unknown: {', '.join(unknown[:_MAX_LISTED_FIELDS])}; allowed: {', '.join(names)}")


def exactly_one(body: Mapping[str, Any], *names: str) -> str:
    """Return which of these fields the body has; raise InvalidParameter unless it is exactly one."""
    present = [name for name in names if name in body]
    if len(present) != 1:
        problem = f"{', '.join(present)}: more than one" if present else "missing"
        raise InvalidParameter(f"{problem}; allowed: exactly one of {', '.join(names)}")
    return present[0]


def line(name: str, value: object, max_length: int = MAX_CHARACTERS) -> str:
    """Check a single-line text (a name, a code, a token) that is not empty."""
    if not isinstance(value, str) or len(value) > max_length or not value.strip() or _FORBIDDEN.search(value):
        raise rejected(name, value, f"one line of 1 to {max_length} characters")
    return value


def field(body: Mapping[str, Any], name: str) -> str:
    """Return a required single-line field."""
    return line(name, body.get(name))


def text(body: Mapping[str, Any], name: str, max_length: int = MAX_TEXT) -> str:
    """Return a required multi-line field of at most `max_length` characters."""
    value = body.get(name)
    if not isinstance(value, str) or len(value) > max_length or not value.strip() or _FORBIDDEN_IN_TEXT.search(value):
        raise rejected(name, value, f"a text of 1 to {max_length} characters")
    return value


def lines(body: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of distinct single-line strings, empty if the field is missing."""
    value = body.get(name, [])
    if not isinstance(value, list) or len(value) > MAX_MENTIONS:
        raise rejected(name, value, f"an array of at most {MAX_MENTIONS} texts")
    return list(dict.fromkeys(line(f"{name}[{index}]", item) for index, item in enumerate(value)))


def number(request: web.Request, name: str = "id", maximum: int = MAX_ID) -> int:
    """Return the number in the path, which the routes restrict to digits; raise NotFound if it exceeds any row id."""
    value = int(request.match_info[name])
    if value > maximum:
        raise NotFound(f"{name} {value}")
    return value
