"""What business systems were told, over HTTP: looked up by its state, and sent again."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from api.app_keys import HOUSE
from api.body import number
from api.responses import iso, reply
from errors import InvalidParameter
from models.durable import OutboxItem, WorkState
from services.messaging.webhook_events import QUEUE

STATES = (WorkState.QUEUED, WorkState.SENT, WorkState.FAILED)


async def find(request: web.Request) -> web.Response:
    """GET /wxbot/webhook?state=failed: the newest hundred in that state."""
    state = request.query.get("state", WorkState.FAILED)
    if state not in STATES:
        raise InvalidParameter("state")
    return reply({"webhooks": [_shown(item) for item in await request.app[HOUSE].webhooks.listed(state)]})


async def resend(request: web.Request) -> web.Response:
    """POST /wxbot/webhook/{id}/resend: 202; one that was not given up stays as it is."""
    return reply({"webhook": _shown(await request.app[HOUSE].webhooks.resend(number(request)))}, 202)


def _shown(item: OutboxItem) -> dict[str, Any]:
    event = json.loads(item.body)
    return {
        "id": item.id,
        "receiver": item.queue.removeprefix(f"{QUEUE}:"),
        "event": event["id"],
        "type": event["type"],
        "key": item.key,
        "state": item.state,
        "attempts": item.attempts,
        "error": item.error,
        "created_at": iso(item.created_at),
        "done_at": iso(item.done_at),
    }
