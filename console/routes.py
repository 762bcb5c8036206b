"""All routes of the console with the roles they require."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler

from api.app_keys import CONTAINER
from api.view_limit import ViewLimit
from console import (
    accounts,
    connections,
    events,
    groups,
    knowledge,
    login,
    names,
    outreach,
    overview,
    page_files,
    peers,
    records,
    settings,
    tickets,
    words,
)
from console.access import require_role
from services.accounts.console_sessions import Role

ADMIN, AGENT = Role.ADMIN, Role.AGENT
API: Final = "/console/api"
ID: Final = "{id:[0-9]{1,18}}"
QUN: Final = f"{API}/qun/{{number:[0-9]{{1,18}}}}"


class Route(NamedTuple):
    """A route. `role`: None = anyone in the allowed networks."""

    method: str
    path: str
    handler: Handler
    role: Role | None


ROUTES: Final = (
    Route("GET", "/console", page_files.to_index, None),
    Route("GET", "/console/", page_files.index, None),
    Route("GET", "/console/page/{name:.+}", page_files.file, None),
    Route("GET", "/console/login/{secret}", login.log_in, None),
    Route("GET", f"{API}/session", login.session, AGENT),
    Route("POST", f"{API}/logout", login.log_out, AGENT),
    Route("GET", f"{API}/events", events.stream, AGENT),
    Route("GET", f"{API}/overview", overview.read, AGENT),
    Route("GET", f"{API}/status", overview.status, AGENT),
    Route("POST", f"{API}/assistant", accounts.put, ADMIN),
    Route("DELETE", f"{API}/assistant/{{account}}", accounts.remove, ADMIN),
    Route("POST", f"{API}/assistant/{{account}}/logout", accounts.log_out, ADMIN),
    Route("GET", f"{API}/assistant/{{account}}/login.svg", accounts.login_code, ADMIN),
    Route("GET", f"{API}/assistant/{{account}}/room", accounts.rooms, ADMIN),
    Route("POST", f"{API}/assistant/{{account}}/staff-room", accounts.bind_staff_room, ADMIN),
    Route("GET", f"{API}/friend", accounts.friends, ADMIN),
    Route("GET", f"{API}/ticket", tickets.find, AGENT),
    Route("GET", f"{API}/ticket/{ID}", tickets.read, AGENT),
    Route("POST", f"{API}/ticket/{ID}/reply", tickets.answer, AGENT),
    Route("POST", f"{API}/ticket/{ID}/note", tickets.note, AGENT),
    Route("POST", f"{API}/ticket/{ID}/assign", tickets.assign, AGENT),
    Route("POST", f"{API}/ticket/{ID}/close", tickets.close, AGENT),
    Route("POST", f"{API}/ticket/{ID}/reopen", tickets.reopen, AGENT),
    Route("POST", f"{API}/ticket/{ID}/remark", tickets.remark, AGENT),
    Route("POST", f"{API}/ticket/{ID}/presence", tickets.report_presence, AGENT),
    Route("GET", f"{API}/media/{ID}", tickets.media, AGENT),
    Route("GET", f"{API}/canned", words.canned, AGENT),
    Route("POST", f"{API}/canned", words.put_canned, ADMIN),
    Route("POST", f"{API}/canned/remove", words.remove_canned, ADMIN),
    Route("GET", f"{API}/blocked-word", words.blocked, AGENT),
    Route("POST", f"{API}/blocked-word", words.block, ADMIN),
    Route("POST", f"{API}/blocked-word/remove", words.allow, ADMIN),
    Route("GET", f"{API}/qun", groups.find, AGENT),
    Route("GET", QUN, groups.read, AGENT),
    Route("GET", f"{QUN}/members", groups.members, AGENT),
    Route("GET", f"{QUN}/qr.svg", groups.code, ADMIN),
    Route("PATCH", QUN, groups.change, ADMIN),
    Route("POST", f"{QUN}/add", groups.add_member, ADMIN),
    Route("POST", f"{QUN}/{{action}}", groups.act, ADMIN),
    Route("GET", f"{API}/knowledge", knowledge.read, AGENT),
    Route("POST", f"{API}/knowledge/try", knowledge.explain, AGENT),
    Route("GET", f"{API}/knowledge/{{what:keywords|questions}}.yaml", knowledge.export, AGENT),
    Route("POST", f"{API}/knowledge/{{what:keywords|questions}}.yaml", knowledge.import_, ADMIN),
    Route("POST", f"{API}/keyword", knowledge.put_keyword, ADMIN),
    Route("DELETE", f"{API}/keyword/{ID}", knowledge.remove_keyword, ADMIN),
    Route("POST", f"{API}/question", knowledge.put_question, ADMIN),
    Route("DELETE", f"{API}/question/{ID}", knowledge.remove_question, ADMIN),
    Route("GET", f"{API}/broadcast", outreach.find, AGENT),
    Route("GET", f"{API}/broadcast/{ID}", outreach.read, AGENT),
    Route("POST", f"{API}/broadcast", outreach.send, ADMIN),
    Route("POST", f"{API}/broadcast/{ID}/cancel", outreach.cancel, ADMIN),
    Route("GET", f"{API}/timed", outreach.find_timed, AGENT),
    Route("POST", f"{API}/timed", outreach.add_timed, ADMIN),
    Route("DELETE", f"{API}/timed/{ID}", outreach.remove_timed, ADMIN),
    Route("GET", f"{API}/connections", connections.overview, AGENT),
    Route("GET", f"{API}/webhook", connections.find, AGENT),
    Route("POST", f"{API}/webhook/{ID}/resend", connections.resend, ADMIN),
    Route("POST", f"{API}/flow/{ID}/end", connections.end_flow, ADMIN),
    Route("GET", f"{API}/audit", records.audit, AGENT),
    Route("GET", f"{API}/audit.csv", records.audit_csv, AGENT),
    Route("GET", f"{API}/message", records.messages, AGENT),
    Route("GET", f"{API}/message.csv", records.messages_csv, AGENT),
    Route("POST", f"{API}/message/{ID}/resend", records.resend, ADMIN),
    Route("GET", f"{API}/settings", settings.read, ADMIN),
    Route("GET", f"{API}/settings/preview", settings.preview, ADMIN),
    Route("POST", f"{API}/settings/reload", settings.reload, ADMIN),
    Route("POST", f"{API}/admin", settings.add_admin, ADMIN),
    Route("DELETE", f"{API}/admin/{ID}", settings.remove_admin, ADMIN),
    Route("DELETE", f"{API}/session/{{id:[0-9a-f]{{16}}}}", settings.end_session, ADMIN),
)

PARTS: Final[dict[str, peers.LocalPart]] = {  # for the other processes of a cluster
    "accounts": accounts.local_accounts,
    "away": overview.local_offline_accounts,
    "friends": accounts.local_friends,
    names.PART: names.local_names,
}


def add_to(app: web.Application) -> None:
    """Add the console to the API's application."""
    app[page_files.VIEWS] = ViewLimit(app[CONTAINER].clock)
    app[events.STREAMS] = set[asyncio.Task[object]]()
    app.on_shutdown.append(events.end_streams)
    if app[CONTAINER].peers is not None:
        peers.add_to(app, PARTS)
    for route in ROUTES:
        handler = route.handler if route.role is None else require_role(route.handler, route.role)
        app.router.add_route(route.method, route.path, handler)
