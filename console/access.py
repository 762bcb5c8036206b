"""Who may do what: the session behind the cookie, its role, and that a change comes from the console's own page."""

from __future__ import annotations

import hmac
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from api.app_keys import HOUSE
from errors import BadKey, OutsideNetwork
from services.accounts.console_sessions import TERMINAL, Role, Visitor
from services.support.agent_desk import Agent

COOKIE: Final = "wxbot_session"
CSRF_HEADER: Final = "X-CSRF-Token"
SAFE: Final = ("GET", "HEAD")
VISITOR: Final = web.RequestKey("visitor", Visitor)


def guarded(handler: Handler, role: Role) -> Handler:
    """The handler for people of this role (admins may do what agents may). BadKey, OutsideNetwork."""

    async def answer(request: web.Request) -> web.StreamResponse:
        check_page(request)
        visitor = await visitor_of(request)
        if visitor is None:
            raise BadKey("no session")
        if role is Role.ADMIN and visitor.role is not Role.ADMIN:
            raise OutsideNetwork(f"{visitor.actor} is no admin")
        if request.method not in SAFE:
            given = request.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(given.encode(), visitor.csrf.encode()):
                raise OutsideNetwork(f"no {CSRF_HEADER}")
        request[VISITOR] = visitor
        return await handler(request)

    return answer


async def visitor_of(request: web.Request) -> Visitor | None:
    """Who asks; None when nobody is logged in."""
    token = request.cookies.get(COOKIE, "")
    return await request.app[HOUSE].console_sessions.visitor(token) if token else None


def check_page(request: web.Request) -> None:
    """Refuse what another site's page asks for: browsers say whose page it is. OutsideNetwork."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site not in ("same-origin", "none"):
        raise OutsideNetwork(f"a page of another site ({site})")
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        raise OutsideNetwork(f"a page of {origin}")


def agent_of(request: web.Request) -> Agent:
    """Who acts on a ticket."""
    visitor = request[VISITOR]
    return Agent(
        visitor.contact_id, visitor.name or ("管理员" if visitor.contact_id == TERMINAL else ""), visitor.actor
    )
