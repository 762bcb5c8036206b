"""Static files of the console, cached in memory; some are shared with the sandbox's page."""

from __future__ import annotations

import mimetypes
from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web

from api.app_keys import CONTAINER
from api.view_limit import ViewLimit
from errors import NotFound

FOLDER: Final = Path(__file__).parent / "page"
SHARED: Final = {"vendor/preact.js": FOLDER.parents[1] / "sandbox" / "page" / "vendor" / "preact.js"}
VIEWS: Final = web.AppKey("console_views", ViewLimit)
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-cache",
}
TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}


@cache
def _read(name: str) -> bytes | None:
    path = SHARED.get(name, FOLDER / name)
    inside = name in SHARED or path.resolve().is_relative_to(FOLDER)
    return path.read_bytes() if inside and path.suffix in TYPES and path.is_file() else None


def page(name: str, status: int = 200) -> web.Response:
    """Return a file of the page; raise NotFound."""
    body = _read(name)
    if body is None:
        raise NotFound(name)
    kind = TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    response = web.Response(body=body, status=status, content_type=kind, charset="utf-8", headers=HEADERS)
    response.enable_compression()
    return response


async def index(request: web.Request) -> web.Response:
    """GET /console/: the page, which loads its data by the API; in the language of the config until one is chosen."""
    response = page("index.html")
    if request.app[CONTAINER].config.language == "en" and isinstance(response.body, bytes):
        response.body = response.body.replace(b'<html lang="zh-CN">', b'<html lang="en">', 1)
    return response


async def to_index(_request: web.Request) -> web.Response:
    """GET /console: redirect."""
    raise web.HTTPPermanentRedirect("/console/")


async def file(request: web.Request) -> web.Response:
    """GET /console/page/…: a static file."""
    return page(request.match_info["name"])
