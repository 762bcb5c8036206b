"""Broadcasts: send, and read the results."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from api.app_keys import CONTAINER, caller
from api.body import exactly_one, field, line, number, read_large_object, reject_unknown_fields, rejected, without_nulls
from api.content import KINDS, read_content
from api.message import idempotency_key
from api.responses import iso, json_response
from services.messaging.messages import Body
from services.outreach.broadcast_types import BroadcastRequest, check_run_at

PATH: Final = "/wxbot/broadcast"
AUDIENCES: Final = ("quns", "tags", "all")
MAX_NAMED: Final = 10_000


async def send(request: web.Request) -> web.Response:
    """POST /wxbot/broadcast: 202 once it is stored. A repeated Idempotency-Key gets the same response."""
    container = request.app[CONTAINER]
    body = without_nulls(await read_large_object(request), *KINDS, *AUDIENCES, "assistant", "at")
    reject_unknown_fields(body, *AUDIENCES, *KINDS, "assistant", "at")
    exactly_one(body, *AUDIENCES)
    targets = _targets(body) | {"run_at": _moment(body, container.clock())}
    if targets["account"]:
        container.accounts.get(targets["account"])
    key = idempotency_key(request, "broadcast")
    content: Body = await read_content(body, container.attachments)
    broadcast_id = await container.broadcasts.submit(BroadcastRequest(content, **targets), caller(request), key)
    answer = {"broadcast": {"id": broadcast_id, "state": "queued"}}
    return json_response(answer, 202, {"Location": f"{PATH}/{broadcast_id}"})


def _targets(body: Mapping[str, Any]) -> dict[str, Any]:
    account = field(body, "assistant") if "assistant" in body else ""
    if "all" in body:
        if body["all"] is not True:
            raise rejected("all", body["all"], "true")
        return {"everywhere": True, "account": account}
    name = "quns" if "quns" in body else "tags"
    value = body[name]
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_NAMED:
        raise rejected(name, value, f"an array of 1 to {MAX_NAMED} entries")
    groups = [
        item if name == "quns" and type(item) is int else line(f"{name}[{index}]", item)
        for index, item in enumerate(value)
    ]
    return {name: tuple(dict.fromkeys(groups)), "account": account}


def _moment(body: Mapping[str, Any], now: float) -> float:
    """Return the time to send it; 0 means now, as does a time in the past."""
    if "at" not in body:
        return 0.0
    try:
        at = datetime.fromisoformat(body["at"])
        moment = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        raise rejected("at", body["at"], "a time in ISO 8601") from None
    check_run_at(moment, now)
    return moment if moment > now else 0.0


async def read(request: web.Request) -> web.Response:
    """GET /wxbot/broadcast/{id}: the result for each group."""
    return await _response(request, number(request))


async def cancel(request: web.Request) -> web.Response:
    """POST /wxbot/broadcast/{id}/cancel: cancel the messages that were not sent yet; return the result for each group.

    Idempotent.
    """
    container, actor, broadcast_id = request.app[CONTAINER], caller(request), number(request)
    await container.store.write(lambda s: container.sent_broadcasts.cancel(s, broadcast_id, actor))
    return await _response(request, broadcast_id)


async def _response(request: web.Request, broadcast_id: int) -> web.Response:
    result = await request.app[CONTAINER].sent_broadcasts.result(broadcast_id)
    broadcast = result.broadcast
    data = {
        "id": broadcast.id,
        "state": result.state,
        "at": iso(broadcast.run_at or broadcast.created_at),
        "groups": [{"number": number, "state": state} for number, state in result.groups.items()],
    }
    return json_response({"broadcast": data})
