"""JSON responses and errors."""

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
    WeChatUnknown,
    WeChatUnsupported,
)
from services.paging import Page

HEADERS: Final = {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
RETRY_AFTER: Final = 5.0  # seconds, for errors that resolve by themselves
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def json_response(data: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Create a JSON response."""
    return web.Response(
        body=_encode(data).encode(), status=status, headers=HEADERS if headers is None else {**HEADERS, **headers}
    )


def page_response(name: str, page: Page[dict[str, Any]]) -> web.Response:
    """Create the response of a list page."""
    return json_response({name: page.rows, "next": page.next})


def error_response(error: BotError, headers: Mapping[str, str] | None = None) -> web.Response:
    """Create an error response. Retry-After is in whole seconds, at least 1."""
    all_headers = dict(headers or {})
    if error.retry_after is not None:
        all_headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.status == 401:
        all_headers["WWW-Authenticate"] = "Bearer"
    return json_response({"error": {"code": error.code, "message": error.message}}, error.status, all_headers)


def convert_http_error(error: web.HTTPException) -> web.Response:
    """Convert an error of aiohttp."""
    if error.status == 405:
        return error_response(MethodNotAllowed(), {"Allow": error.headers.get("Allow", "")})
    if error.status == 404:
        return error_response(NotFound())
    if error.status == 413:
        return error_response(BodyTooLarge())
    return error_response(InvalidParameter() if error.status < 500 else BotError())


def as_bot_error(error: WeChatError) -> BotError | None:
    """Translate a WeChat error that no service has handled; None means an internal error.

    A response that was lost means that the gateway is away, too.
    """
    if isinstance(error, WeChatUnsupported):
        return NotSupported(str(error))
    if isinstance(error, WeChatOffline | WeChatUnknown):
        return AssistantOffline(str(error), retry_after=RETRY_AFTER)
    return None


def iso(at: float | None) -> str | None:
    """Convert Unix seconds to ISO 8601 in UTC."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
