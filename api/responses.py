"""Answers: JSON in UTF-8, and every error in the one shape of the contract."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from errors import (
    AssistantOffline,
    BodyTooLarge,
    BotError,
    InvalidParameter,
    MethodNotAllowed,
    NotFound,
    NotSupported,
    WeChatError,
    WeChatOffline,
    WeChatUnsupported,
)
from services.paging import Page

HEADERS: Final = {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
RETRY_AFTER: Final = 5.0  # seconds, for what comes back by itself
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def reply(data: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=_encode(data).encode(), status=status, headers=HEADERS if headers is None else {**HEADERS, **headers}
    )


def listing(name: str, page: Page[dict[str, Any]]) -> web.Response:
    """A page of a list."""
    return reply({name: page.rows, "next": page.next})


def refusal(error: BotError, headers: Mapping[str, str] | None = None) -> web.Response:
    """The one shape of an error; Retry-After is in whole seconds, at least 1."""
    more = dict(headers or {})
    if error.retry_after is not None:
        more["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.status == 401:
        more["WWW-Authenticate"] = "Bearer"
    return reply({"error": {"code": error.code, "message": error.message}}, error.status, more)


def refusal_of(error: web.HTTPException) -> web.Response:
    """The framework's own errors in our shape."""
    if error.status == 405:
        return refusal(MethodNotAllowed(), {"Allow": error.headers.get("Allow", "")})
    if error.status == 404:
        return refusal(NotFound())
    if error.status == 413:
        return refusal(BodyTooLarge())
    return refusal(InvalidParameter() if error.status < 500 else BotError())


def as_bot_error(error: WeChatError) -> BotError | None:
    """What a caller is told of a call to WeChat that no service has translated; None: it is our own fault."""
    if isinstance(error, WeChatUnsupported):
        return NotSupported(str(error))
    return AssistantOffline(str(error), retry_after=RETRY_AFTER) if isinstance(error, WeChatOffline) else None


def iso(at: float | None) -> str | None:
    """Unix seconds as ISO 8601 in UTC."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
