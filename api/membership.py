"""Memberships: join, read, remove."""

from __future__ import annotations

from aiohttp import web

from api.app_keys import CONTAINER, caller
from api.body import field, number, read_object
from api.query import wants_async
from api.responses import iso, json_response
from services.groups.memberships import JoinOutcome

PATH = "/wxbot/qun/membership"


async def join(request: web.Request) -> web.Response:
    """POST /wxbot/qun/membership 请求入群: 200 if WeChat shows the person in the group, else 202."""
    body = await read_object(request)
    token, member = field(body, "token"), field(body, "member")
    container = request.app[CONTAINER]
    answer = await container.join_requests.join(token, member, caller(request), later=wants_async(request))
    if answer.outcome is JoinOutcome.QUEUED and answer.id is not None:
        container.token_joins.resume_soon(answer.id)
    approved = {"approved": answer.outcome.value}
    if answer.outcome is JoinOutcome.PENDING:
        approved["assistant"] = answer.account
    status = 200 if answer.outcome is JoinOutcome.OK else 202
    headers = {} if answer.id is None else {"Location": f"{PATH}/{answer.id}"}
    return json_response({"membership_join_response": approved}, status, headers)


async def read(request: web.Request) -> web.Response:
    """GET /wxbot/qun/membership/{id}."""
    membership_id = number(request)
    row = await request.app[CONTAINER].membership_states.get(membership_id)
    data = {
        "id": membership_id,
        "number": row.number,
        "member": row.name,
        "state": row.state,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "expires_at": iso(row.expires_at),
    }
    return json_response({"membership": data})


async def remove(request: web.Request) -> web.Response:
    """DELETE /wxbot/qun/membership/{id}: 204 once the person is out of the group."""
    await request.app[CONTAINER].removals.end_membership(number(request), caller(request))
    return web.Response(status=204)
