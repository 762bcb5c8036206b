"""Access control of the console: session cookie, role, CSRF."""

from __future__ import annotations

import hmac
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from api.app_keys import CONTAINER
from errors import BadKey, OutsideNetwork
from services.accounts.console_sessions import TERMINAL, Role, Visitor
from services.support.agent_actions import Agent

COOKIE: Final = "wxbot_session"
CSRF_HEADER: Final = "X-CSRF-Token"
SAFE_METHODS: Final = ("GET", "HEAD")
VISITOR: Final = web.RequestKey("visitor", Visitor)


def require_role(handler: Handler, role: Role) -> Handler:
    """Wrap a handler for a role; admins may do everything. The wrapper raises BadKey and OutsideNetwork."""

    async def answer(request: web.Request) -> web.StreamResponse:
        check_page(request)
        visitor = await visitor_of(request)
        if visitor is None:
            raise BadKey("no session")
        if role is Role.ADMIN and visitor.role is not Role.ADMIN:
            raise OutsideNetwork(f"{visitor.actor} is not an admin")
        if request.method not in SAFE_METHODS:
            token = request.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(token.encode(), visitor.csrf.encode()):
                raise OutsideNetwork(f"no {CSRF_HEADER}")
        request[VISITOR] = visitor
        return await handler(request)

    return answer


async def visitor_of(request: web.Request) -> Visitor | None:
    """Return the logged-in user, or None."""
    token = request.cookies.get(COOKIE, "")
    return await request.app[CONTAINER].console_sessions.visitor(token) if token else None


def check_page(request: web.Request) -> None:
    """Raise OutsideNetwork for requests from pages of other sites, by Sec-Fetch-Site and Origin."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site not in ("same-origin", "none"):
        raise OutsideNetwork(f"request from another site ({site})")
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        raise OutsideNetwork(f"request from another origin: {origin}")


def agent_of(request: web.Request) -> Agent:
    """Return the agent for actions on tickets."""
    visitor = request[VISITOR]
    return Agent(
        visitor.contact_id, visitor.name or ("管理员" if visitor.contact_id == TERMINAL else ""), visitor.actor
    )
