"""Webhook deliveries: list, and send again."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from aiohttp import web

from api.app_keys import CONTAINER, caller
from api.body import number, rejected
from api.query import choice, page, text_parameter
from api.responses import iso, json_response, page_response
from app.container import Container
from models.durable import OutboxItem, WorkState
from models.row_id import MAX_ROW_ID
from services.messaging.webhook_delivery import MAX_LISTED, list_deliveries
from services.messaging.webhook_events import QUEUE
from services.paging import PageRequest

STATES = (WorkState.QUEUED, WorkState.SENT, WorkState.FAILED)


async def find(request: web.Request) -> web.Response:
    """GET /wxbot/webhook?state=failed: list the deliveries in that state, newest first."""
    container, name = request.app[CONTAINER], text_parameter(request, "webhook")
    state = choice(request, "state", WorkState) or WorkState.FAILED
    if state not in STATES:
        raise rejected("state", state, ", ".join(STATES))
    page_request = page(request) if {"limit", "after"} & request.query.keys() else PageRequest(MAX_LISTED)
    result = await container.store.read(lambda s: list_deliveries(s, name, state, page_request))
    return page_response("webhooks", result.map(partial(_to_json, container)))


async def resend(request: web.Request) -> web.Response:
    """POST /wxbot/webhook/{id}/resend: 202; a delivery that has not failed is unchanged."""
    container, item_id, actor = request.app[CONTAINER], number(request, maximum=MAX_ROW_ID), caller(request)
    resent = await container.store.write(lambda s: container.webhooks.send_again(s, item_id, actor))
    return json_response({"webhook": _to_json(container, resent.item)}, 202)


def _to_json(container: Container, item: OutboxItem) -> dict[str, Any]:
    event, name = json.loads(item.body), item.queue.removeprefix(f"{QUEUE}:")
    return {
        "id": item.id,
        "webhook": name,
        "receiver": container.webhooks.address_of(name),
        "event": event["id"],
        "type": event["type"],
        "key": item.key,
        "state": item.state,
        "attempts": item.attempts,
        "error": item.error,
        "created_at": iso(item.created_at),
        "done_at": iso(item.done_at),
    }
