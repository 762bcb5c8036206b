"""The control API: all actions of the simulated world over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Final

from aiohttp import web

from protocol import CALLS
from sandbox.control import chats, live, page_files, people, rooms, views
from sandbox.control.parsing import WORLD, body, number, query_parameter, text
from sandbox.gateway.event_stream import EVENT_TYPES
from sandbox.gateway.files import MAX_FILE, qr_png
from sandbox.world.avatars import svg
from sandbox.world.model import ObjectNotFound, Refused
from sandbox.world.rooms import is_room
from sandbox.world.world import World

ENDPOINTS: Final = web.AppKey("endpoints", Mapping[str, str])
SHOWN_AS_IS: Final = ("image/png", "image/jpeg", "image/gif", "image/webp", "audio/", "video/")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(world: World, endpoints: Mapping[str, str], password: str = "") -> web.Application:
    """Create the control API and its page for a world; `endpoints` are the gateways' addresses by account. With a
    `password`, every request must have it (HTTP basic authentication, any user name)."""
    app = web.Application(middlewares=[_errors, page_files.reject_other_sites], client_max_size=MAX_FILE)
    app[page_files.PASSWORD] = password
    app[WORLD], app[ENDPOINTS], app[live.STREAMS] = world, endpoints, set()
    app.add_routes([*ROUTES, *people.ROUTES, *chats.ROUTES, *rooms.ROUTES, *live.ROUTES])
    app.on_shutdown.append(live.end_streams)
    page_files.set_up(app)
    return app


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Convert errors to {"error": {"code", "message"}}."""
    try:
        return await handler(request)
    except ObjectNotFound as error:
        return _error(404, str(error))
    except Refused as error:
        return _error(400, str(error))
    except web.HTTPRequestEntityTooLarge:
        return _error(413, f"太大了，最多 {MAX_FILE // 1024**2} MB")
    except web.HTTPException as error:
        if error.status < 400:
            raise
        challenge = {name: error.headers[name] for name in ("WWW-Authenticate",) if name in error.headers}
        return _error(error.status, error.reason, challenge)


def _error(code: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=code, headers=headers)


# ---- the world as a whole ----


async def get_state(request: web.Request) -> web.Response:
    """GET /api/state: accounts, people, faults, limits and rules."""
    world = request.app[WORLD]
    endpoints = request.app[ENDPOINTS]
    return web.json_response(
        {
            "accounts": [views.account(world, name, endpoints.get(name, "")) for name in world.state.accounts],
            "people": [views.person(world, person) for person in world.state.people.values()],
            "faults": world.faults.to_json(),
            "limits": world.limits.to_json(),
            "rules": asdict(world.rules),
            "now": world.clock(),
        }
    )


def _notify_pages(world: World) -> None:
    """Tell all open pages to reload the switches."""
    world.feed.emit_all({"type": "switches"})


async def put_fault(request: web.Request) -> web.Response:
    """PUT /api/faults {"event": kind or "*", twice?, late?, late_ms?, lost?} or {"call": method or "*", effect,
    probability?, count?, ms?, text?}.
    """
    world = request.app[WORLD]
    values = await body(request)
    name, allowed = (values["call"], CALLS) if "call" in values else (values.get("event", "*"), EVENT_TYPES)
    if name != "*" and name not in list(allowed):
        raise Refused(f"没有这种调用或事件：{name}")
    try:
        if "call" in values:
            world.faults.call(values.pop("call"), values.pop("effect", ""), **values)
        else:
            world.faults.event(values.pop("event", "*"), **values)
    except TypeError as error:
        raise Refused(f"不认识的故障设置：{error}") from None
    _notify_pages(world)
    return web.json_response(world.faults.to_json())


async def clear_faults(request: web.Request) -> web.Response:
    """DELETE /api/faults: remove all faults."""
    request.app[WORLD].faults.clear()
    _notify_pages(request.app[WORLD])
    return web.json_response(request.app[WORLD].faults.to_json())


async def put_limit(request: web.Request) -> web.Response:
    """PUT /api/limits {"action", "times": N or null, "seconds"?}: set or remove a rate limit."""
    world = request.app[WORLD]
    values = await body(request)
    times = None if values.get("times") is None else int(number(values, "times"))
    world.limits.set(text(values, "action"), times, number(values, "seconds", 60.0))
    _notify_pages(world)
    return web.json_response(world.limits.to_json())


async def put_rules(request: web.Request) -> web.Response:
    """PUT /api/rules {"direct_limit"?, "capacity"?, "qr_limit"?}: change the group limits."""
    world = request.app[WORLD]
    rules = world.rules
    values = await body(request)
    changed = {name: int(number(values, name)) for name in ("direct_limit", "capacity", "qr_limit") if name in values}
    if any(value < 3 for value in changed.values()):
        raise Refused("群规则的人数至少为 3")
    for name, value in changed.items():
        setattr(rules, name, value)
    _notify_pages(world)
    return web.json_response(asdict(rules))


async def act_on_account(request: web.Request) -> web.Response:
    """POST /api/accounts/{account}/login, /logout {"reason"?}, /error {"text"?}."""
    world, name = request.app[WORLD], request.match_info["account"]
    values = await body(request)
    action = request.match_info["action"]
    if action == "login":
        world.accounts.login(name)
    elif action == "logout":
        world.accounts.logout(name, text(values, "reason", "logout"))
    else:
        world.accounts.fail(name, text(values, "text", "sandbox error"))
    return web.json_response(views.account(world, name, request.app[ENDPOINTS].get(name, "")))


# ---- pictures and files ----


async def get_media(request: web.Request) -> web.Response:
    """GET /api/media/{id}: download a file. Types that a browser could execute are sent as octet-stream."""
    media = request.app[WORLD].state.media.get(request.match_info["media"])
    if media is None:
        raise ObjectNotFound("没有这个文件")
    response = web.Response(body=media.data, headers={"X-Content-Type-Options": "nosniff"})
    response.content_type = chats.mime_of(media.name)
    if not response.content_type.startswith(SHOWN_AS_IS):
        response.content_type = "application/octet-stream"
    return response


async def get_avatar(request: web.Request) -> web.Response:
    """GET /api/avatars/{id}.svg: avatar generated from the name."""
    world, thing_id = request.app[WORLD], request.match_info["thing"]
    name = (world.rooms.get(thing_id).topic or "群") if is_room(thing_id) else world.people.get(thing_id).name
    return web.Response(text=svg(thing_id, name), content_type="image/svg+xml")


async def get_qr_code(request: web.Request) -> web.Response:
    """GET /api/qrcode.png?text=…: QR code of a text."""
    return web.Response(body=qr_png(query_parameter(request, "text")), content_type="image/png")


ROUTES: Final = [
    web.get("/api/state", get_state),
    web.put("/api/faults", put_fault),
    web.delete("/api/faults", clear_faults),
    web.put("/api/limits", put_limit),
    web.put("/api/rules", put_rules),
    web.post("/api/accounts/{account}/{action:login|logout|error}", act_on_account),
    web.get("/api/media/{media}", get_media),
    web.get("/api/avatars/{thing}.svg", get_avatar),
    web.get("/api/qrcode.png", get_qr_code),
]
