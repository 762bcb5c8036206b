"""Static files of the page, and protection of the API against pages of other sites."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

import webui
from web_hosts import is_served

PASSWORD: Final = web.AppKey("password", str)  # "" = everybody who reaches it is served
PAGE: Final = Path(__file__).parent.parent / "page"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# No external or inline resources, and no HTML from strings.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_TYPES: Final = frozenset({"application/json", "multipart/form-data"})


def set_up(app: web.Application) -> None:
    """Serve the page at `/` and add the security headers to every response."""
    app.add_routes([web.get("/", get_page), web.static("/page/shared", webui.FOLDER), web.static("/page", PAGE)])
    app.on_response_prepare.append(_add_headers)


async def get_page(request: web.Request) -> web.FileResponse:
    """GET /: the page."""
    return web.FileResponse(PAGE / "index.html")


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if not request.path.startswith("/api/"):
        response.headers["Cache-Control"] = "no-cache"


@web.middleware
async def reject_other_sites(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Reject requests that another site's page in the same browser could send.

    These are DNS rebinding (a host name of its own), cross-origin requests, and plain HTML forms.
    """
    if not is_served(request.host):
        raise web.HTTPForbidden(reason="the sandbox accepts only IP addresses and localhost as host names")
    _check_password(request)
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        raise web.HTTPForbidden(reason="cross-origin requests are not allowed")
    if request.method not in SAFE_METHODS:
        if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            raise web.HTTPForbidden(reason="cross-origin requests are not allowed")
        if request.can_read_body and request.content_type not in BODY_TYPES:
            raise web.HTTPUnsupportedMediaType(reason="expected JSON or a form with a file")
    return await handler(request)


def _check_password(request: web.Request) -> None:
    """Raise 401 unless the request has the password, with any user name."""
    expected = request.app[PASSWORD]
    if not expected:
        return
    kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        password = base64.b64decode(encoded).partition(b":")[2] if kind.lower() == "basic" else b""
    except ValueError:
        password = b""
    if not hmac.compare_digest(password, expected.encode()):
        raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="sandbox", charset="UTF-8"'})
