"""Static files of the console, kept in memory, compressed once; some are shared with the sandbox's page."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from aiohttp import web

import webui
from api.app_keys import CONTAINER
from api.view_limit import ViewLimit
from errors import NotFound

FOLDER: Final = Path(__file__).parent / "page"
SHARED: Final = {f"shared/{name}": path for name, path in webui.FILES.items()}
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


class _File(NamedTuple):
    """A static file: its content, plain and compressed, and the version of both."""

    body: bytes
    compressed: bytes
    tag: str
    kind: str


@cache
def _read(name: str, language: str = "") -> _File | None:
    path = SHARED.get(name, FOLDER / name)
    inside = name in SHARED or path.resolve().is_relative_to(FOLDER)
    if not inside or path.suffix not in TYPES or not path.is_file():
        return None
    body = path.read_bytes()
    if language == "en":
        body = body.replace(b'<html lang="zh-CN">', b'<html lang="en">', 1)
    return _File(body, gzip.compress(body, mtime=0), hashlib.sha256(body).hexdigest()[:16], TYPES[path.suffix])


def page(request: web.Request, name: str, status: int = 200, language: str = "") -> web.Response:
    """Return a file of the page, or 304 if the client has it; raise NotFound."""
    file = _read(name, language)
    if file is None:
        raise NotFound(name)
    headers = {**HEADERS, "ETag": f'"{file.tag}"', "Vary": "Accept-Encoding"}
    if status == 200 and any(tag.value == file.tag for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    compressed = "gzip" in request.headers.get("Accept-Encoding", "")
    body = file.compressed if compressed else file.body
    if compressed:
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, status=status, content_type=file.kind, charset="utf-8", headers=headers)


async def index(request: web.Request) -> web.Response:
    """GET /console/: the page, which loads its data by the API; in the language of the config until one is chosen."""
    return page(request, "index.html", language=request.app[CONTAINER].config.language)


async def to_index(_request: web.Request) -> web.Response:
    """GET /console: redirect."""
    raise web.HTTPPermanentRedirect("/console/")


async def file(request: web.Request) -> web.Response:
    """GET /console/page/…: a static file."""
    return page(request, request.match_info["name"])
