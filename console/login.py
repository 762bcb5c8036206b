"""Login by a link, and logout."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from api.app_keys import CLIENT, CONTAINER
from api.responses import json_response
from console.access import COOKIE, VISITOR, visitor_of
from console.page_files import VIEWS, page
from console.peers import all_accounts
from errors import BadKey, TooManyRequests
from services.accounts.console_sessions import IDLE_SECONDS


async def log_in(request: web.Request) -> web.StreamResponse:
    """GET /console/login/{secret}: open a session and redirect to the console; 410 if the link is invalid."""
    wait = request.app[VIEWS].acquire(request[CLIENT])
    if wait:
        raise TooManyRequests(retry_after=wait)
    token = await request.app[CONTAINER].console_sessions.open(request.match_info["secret"], request[CLIENT])
    if token is None:
        return page(request, "expired.html", 410)
    response = web.HTTPSeeOther("/console/")
    secure = request.app[CONTAINER].config.api.public_url.startswith("https://")
    response.set_cookie(
        COOKIE, token, max_age=int(IDLE_SECONDS), path="/console/", httponly=True, samesite="Strict", secure=secure
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    raise response


async def session(request: web.Request) -> web.Response:
    """GET /console/api/session: the logged-in user, and the id after which the page must receive changes."""
    visitor = await visitor_of(request)
    if visitor is None:
        raise BadKey("no session")
    container = request.app[CONTAINER]
    data: dict[str, Any] = {
        "id": visitor.contact_id,
        "name": visitor.name,
        "role": visitor.role,
        "csrf": visitor.csrf,
        "language": container.config.language,
        "after": container.changes.id_of(container.changes.last),
        "assistants": await all_accounts(request),
    }
    return json_response({"session": data})


async def log_out(request: web.Request) -> web.Response:
    """POST /console/api/logout: end this session."""
    visitor, container = request[VISITOR], request.app[CONTAINER]
    await container.store.write(lambda s: container.console_sessions.end(s, visitor.session_id, visitor.actor))
    response = json_response({"session": None})
    response.del_cookie(COOKIE, path="/console/")
    return response
