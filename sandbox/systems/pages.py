"""The page of the stand-ins: received requests, response modes and callback buttons."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from sandbox.systems.callbacks import RESULTS, call_back
from sandbox.systems.request_log import MODES, TOPIC, RequestLog
from sandbox.systems.stand_ins import TITLES
from web_hosts import is_served

PAGE: Final = Path(__file__).parent / "page"
FILES: Final = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'none'"
)
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
HEARTBEAT: Final = 15.0
STREAMS: Final = web.AppKey("streams", set[asyncio.Task[Any]])
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_page(app: web.Application, request_log: RequestLog) -> None:
    """Add the page and its endpoints to a stand-in's application."""
    app[STREAMS] = set()
    app.middlewares.append(_own_origin)
    for path, (name, kind) in FILES.items():
        app.router.add_get(path, _file(name, kind))
    app.router.add_get("/page/events", partial(_events, request_log))
    app.router.add_post("/page/callback/{n:[0-9]{1,9}}", partial(_call_back, request_log))
    app.router.add_post("/page/mode/{system}", partial(_set_mode, request_log))
    app.on_shutdown.append(_end_streams)


def _file(name: str, kind: str) -> Handler:
    async def handle(_request: web.Request) -> web.StreamResponse:
        text = await asyncio.to_thread((PAGE / name).read_text, encoding="utf-8")
        return web.Response(text=text, content_type=kind, headers=SECURITY_HEADERS)

    return handle


@web.middleware
async def _own_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Reject requests sent by pages of other sites in the same browser."""
    if not is_served(request.host):
        raise web.HTTPForbidden
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        raise web.HTTPForbidden
    return await handler(request)


async def _events(request_log: RequestLog, request: web.Request) -> web.StreamResponse:
    """GET /page/events: the whole state, now and after each change (server-sent events)."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    task = asyncio.current_task()
    assert task is not None
    request.app[STREAMS].add(task)
    try:
        with request_log.channels.listen(TOPIC) as changes:
            while True:
                await response.write(f"data: {json.dumps(request_log.to_json(), ensure_ascii=False)}\n\n".encode())
                await _next(changes, response)
    except ConnectionError:
        return response  # the page was closed
    finally:
        request.app[STREAMS].discard(task)


async def _next(changes: asyncio.Queue[Any], response: web.StreamResponse) -> None:
    """Wait for a change; changes that arrive together count as one."""
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT):
                await changes.get()
            break
        except TimeoutError:
            await response.write(b": still here\n\n")
    while not changes.empty():
        changes.get_nowait()


async def _end_streams(app: web.Application) -> None:
    for task in app[STREAMS]:
        task.cancel()


async def _call_back(request_log: RequestLog, request: web.Request) -> web.Response:
    """POST /page/callback/{n} {"result": "success" | "failed"}: send the callback of a request."""
    system_request = request_log.find(int(request.match_info["n"]))
    result = await _chosen(request, "result")
    if system_request is None or not system_request.callback or result not in RESULTS:
        raise web.HTTPNotFound
    return web.json_response({"delivered": await call_back(request_log, system_request, result)})


async def _chosen(request: web.Request, key: str) -> str:
    """Return a string field of the JSON body, or ""."""
    try:
        return str((await request.json())[key])
    except (ValueError, LookupError, TypeError):
        return ""


async def _set_mode(request_log: RequestLog, request: web.Request) -> web.Response:
    """POST /page/mode/{system} {"mode"}: set how a stand-in responds."""
    system, mode = request.match_info["system"], await _chosen(request, "mode")
    if system not in TITLES or mode not in MODES:
        raise web.HTTPNotFound
    request_log.modes[system] = mode
    request_log.changed()
    return web.json_response({"mode": mode})
