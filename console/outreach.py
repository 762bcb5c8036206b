"""群发与定时: broadcasts with results, and timed messages."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlmodel import Session, col, select

from api.app_keys import HOUSE
from api.body import field, number, read_large_object, read_object, text
from api.content import read_content
from api.query import page
from api.responses import iso, listing, reply
from console.access import VISITOR
from console.groups import timed_message
from errors import InvalidParameter, NotFound
from models.rules import Broadcast, BroadcastState, TimedMessage
from services.outreach.broadcasts import BroadcastRequest
from services.paging import PageRequest, page_of

MAX_GROUPS = 10_000


async def find(request: web.Request) -> web.Response:
    """GET /console/api/broadcast: list sent broadcasts, newest first."""
    asked = page(request)

    def load(session: Session) -> Any:
        query = select(Broadcast).where(Broadcast.state == BroadcastState.SENT)
        if asked.before is not None:
            query = query.where(col(Broadcast.id) < asked.before)
        rows = session.exec(query.order_by(col(Broadcast.id).desc()).limit(asked.limit + 1)).all()
        return page_of(rows, asked, lambda row: row.id)

    return listing("broadcasts", (await request.app[HOUSE].store.read(load)).map(_shown))


def _shown(row: Broadcast) -> dict[str, Any]:
    return {
        "id": row.id,
        "text": row.text,
        "by": row.by,
        "created_at": iso(row.created_at),
        "run_at": iso(row.run_at) if row.run_at else None,
    }


async def read(request: web.Request) -> web.Response:
    """GET /console/api/broadcast/{id}: a broadcast with the result of each group."""
    container = request.app[HOUSE]
    result = await container.broadcasts.result(number(request))
    groups = []
    for qun_number, state in result.groups.items():
        qun = container.groups.by_number(qun_number)
        groups.append({"number": qun_number, "topic": qun.topic if qun else "", "state": state})
    return reply({"broadcast": {**_shown(result.broadcast), "state": result.state, "groups": groups}})


async def send(request: web.Request) -> web.Response:
    """POST /console/api/broadcast {key, quns | all, text | image | …, at?}: send once per `key`."""
    container, who = request.app[HOUSE], request[VISITOR].actor
    body = await read_large_object(request)
    key, quns = field(body, "key"), body.get("quns", [])
    if not isinstance(quns, list) or len(quns) > MAX_GROUPS or not all(type(one) is int for one in quns):
        raise InvalidParameter("quns")
    content = {name: value for name, value in body.items() if name not in ("key", "quns", "all", "at")}
    at = body.get("at")
    if at is not None and (type(at) not in (int, float) or not 0 <= at < 1e11):
        raise InvalidParameter("at")
    order = BroadcastRequest(
        await read_content(content, container.attachments),
        quns=quns,
        everywhere=body.get("all") is True,
        run_at=float(at or 0),
    )
    broadcast_id = await container.broadcasts.promise(order, who, f"console:{key}")
    return reply({"broadcast": {"id": broadcast_id}}, 202)


# ---- timed messages ----


async def find_timed(request: web.Request) -> web.Response:
    """GET /console/api/timed: list timed messages."""
    container, asked = request.app[HOUSE], PageRequest(200)
    rows = await container.store.read(
        lambda s: s.exec(select(TimedMessage).order_by(col(TimedMessage.id).desc()).limit(asked.limit)).all()
    )
    shown = []
    for row in rows:
        qun = container.groups.by_number(row.number)
        shown.append({**timed_message(row), "topic": qun.topic if qun else ""})
    return reply({"timed": shown, "next": None})


async def add_timed(request: web.Request) -> web.Response:
    """POST /console/api/timed {number, cron, text}: add a timed message."""
    container, who = request.app[HOUSE], request[VISITOR].actor
    body = await read_object(request)
    cron, words, wanted = field(body, "cron"), text(body, "text"), body.get("number")
    qun = container.groups.by_number(wanted) if type(wanted) is int else None
    if qun is None:
        raise NotFound("group")
    try:
        next_at = container.timed_messages.next(cron)
    except ValueError:
        raise InvalidParameter("cron") from None
    if next_at is None:
        raise InvalidParameter("cron")

    def write(session: Session) -> int:
        timed_id = container.timed_messages.add(session, qun, cron, words, who, next_at)
        container.audit.note(session, qun.account, "timed", who, str(timed_id), "done", number=str(qun.number))
        return timed_id

    return reply({"timed": {"id": await container.store.write(write)}}, 201)


async def remove_timed(request: web.Request) -> web.Response:
    """DELETE /console/api/timed/{id}: delete a timed message."""
    container, who, timed_id = request.app[HOUSE], request[VISITOR].actor, number(request)

    def write(session: Session) -> None:
        row = session.get(TimedMessage, timed_id)
        qun = container.groups.by_number(row.number) if row else None
        if row is None or qun is None:
            raise NotFound(f"timed message {timed_id}")
        before = f"{row.cron} {row.text}"[:200]
        container.timed_messages.remove(session, qun, timed_id)
        container.audit.note(session, qun.account, "timed_removed", who, str(timed_id), "done", before=before)

    await container.store.write(write)
    return web.Response(status=204)
