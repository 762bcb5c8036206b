"""群发与定时: broadcasts with results, and timed messages."""

from __future__ import annotations

import json
from typing import Any, Final

from aiohttp import web

from api.app_keys import CONTAINER
from api.body import field, number, read_large_object, read_object, text
from api.content import read_content
from api.query import page
from api.responses import iso, json_response, page_response
from console.access import VISITOR
from console.groups import timed_message
from console.names import Names, acting, names_of
from errors import InvalidParameter, NotFound
from models.rules import Broadcast, BroadcastState
from services.outreach.broadcast_types import BroadcastRequest, Friend, check_run_at

MAX_NAMED: Final = 10_000


async def find(request: web.Request) -> web.Response:
    """GET /console/api/broadcast: the queued broadcasts, newest first."""
    container, page_request = request.app[CONTAINER], page(request)
    result = await container.store.read(lambda s: container.sent_broadcasts.list_page(s, page_request))
    names = await names_of(request, [row.by for row in result.rows] + acting(row.by for row in result.rows))
    return page_response("broadcasts", result.map(lambda row: _to_json(row, names, container.clock())))


def _to_json(row: Broadcast, names: Names, now: float) -> dict[str, Any]:
    return {
        "id": row.id,
        "text": row.text,
        "name": json.loads(row.body).get("name", "") if row.body else "",
        "by": row.by,
        "by_name": names.actor(row.by) or names.person(row.by),
        "created_at": iso(row.created_at),
        "run_at": iso(row.run_at) if row.run_at else None,
        "scheduled": row.run_at > now and row.state == BroadcastState.SENT,
        "cancelled": row.state == BroadcastState.WITHDRAWN,
    }


async def read(request: web.Request) -> web.Response:
    """GET /console/api/broadcast/{id}: the result of each group and friend."""
    container = request.app[CONTAINER]
    result = await container.sent_broadcasts.result(number(request))
    by, friend_ids = result.broadcast.by, [id for _, id in result.friends]
    names = await names_of(request, [by, *acting([by]), *friend_ids], result.groups)
    groups = [
        {"number": number, "topic": names.topic(number), "state": state} for number, state in result.groups.items()
    ]
    friends = [
        {"assistant": account, "contact_id": id, "name": names.person(id), "state": state}
        for (account, id), state in result.friends.items()
    ]
    broadcast = _to_json(result.broadcast, names, container.clock())
    data = {**broadcast, "state": result.state, "groups": groups, "friends": friends}
    return json_response({"broadcast": data})


async def send(request: web.Request) -> web.Response:
    """POST /console/api/broadcast {key, quns? | all?, friends?, text | image | …, at?}; the same key again sends
    nothing. `friends`: [{assistant, contact_id}]."""
    container, actor = request.app[CONTAINER], request[VISITOR].actor
    body = await read_large_object(request)
    key, quns = field(body, "key"), body.get("quns", [])
    if not isinstance(quns, list) or len(quns) > MAX_NAMED or not all(type(number) is int for number in quns):
        raise InvalidParameter("quns")
    content = {name: value for name, value in body.items() if name not in ("key", "quns", "all", "friends", "at")}
    broadcast_request = BroadcastRequest(
        await read_content(content, container.attachments),
        quns=quns,
        everywhere=body.get("all") is True,
        friends=_friends(body),
        run_at=_moment(body, container.clock()),
    )
    broadcast_id = await container.broadcasts.submit(broadcast_request, actor, f"console:{key}")
    return json_response({"broadcast": {"id": broadcast_id}}, 202)


def _friends(body: dict[str, Any]) -> list[Friend]:
    friends = body.get("friends", [])
    if not isinstance(friends, list) or len(friends) > MAX_NAMED or not all(isinstance(item, dict) for item in friends):
        raise InvalidParameter("friends")
    return [(field(friend, "assistant"), field(friend, "contact_id")) for friend in friends]


def _moment(body: dict[str, Any], now: float) -> float:
    """Return when to send, in Unix seconds; 0 = immediately."""
    at = body.get("at")
    if at is None:
        return 0.0
    if type(at) not in (int, float) or not now <= at:
        raise InvalidParameter("at")
    check_run_at(at, now)
    return float(at)


async def cancel(request: web.Request) -> web.Response:
    """POST /console/api/broadcast/{id}/cancel: return the number of cancelled messages."""
    container, actor, broadcast_id = request.app[CONTAINER], request[VISITOR].actor, number(request)
    count = await container.store.write(lambda s: container.sent_broadcasts.cancel(s, broadcast_id, actor))
    return json_response({"cancelled": count})


# ---- timed messages ----


async def find_timed(request: web.Request) -> web.Response:
    """GET /console/api/timed."""
    container, page_request = request.app[CONTAINER], page(request)
    result = await container.store.read(lambda s: container.timed_messages.list_page(s, page_request))
    names = await names_of(request, numbers=[row.number for row in result.rows])
    return page_response("timed", result.map(lambda row: {**timed_message(row), "topic": names.topic(row.number)}))


async def add_timed(request: web.Request) -> web.Response:
    """POST /console/api/timed {number, cron, text}: add a timed message."""
    container, actor = request.app[CONTAINER], request[VISITOR].actor
    body = await read_object(request)
    cron, content, qun_number = field(body, "cron"), text(body, "text"), body.get("number")
    qun = container.groups.by_number(qun_number) if type(qun_number) is int else None
    if qun is None:
        raise NotFound("group")
    row = await container.store.write(lambda s: container.timed_messages.add(s, qun, cron, content, actor))
    return json_response({"timed": {"id": row.id}}, 201)


async def remove_timed(request: web.Request) -> web.Response:
    """DELETE /console/api/timed/{id}: delete a timed message."""
    container, actor, timed_id = request.app[CONTAINER], request[VISITOR].actor, number(request)
    await container.store.write(lambda s: container.timed_messages.remove(s, timed_id, actor))
    return web.Response(status=204)
