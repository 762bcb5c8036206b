"""对接: webhook deliveries, open flows, business systems."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from api.app_keys import CONTAINER
from api.body import number
from api.query import choice, page, text_parameter
from api.responses import iso, json_response, page_response
from console.access import VISITOR
from console.accounts import all_served
from console.names import names_of
from models.durable import OutboxItem, WorkState
from models.row_id import MAX_ROW_ID
from services.messaging.webhook_delivery import list_deliveries
from services.messaging.webhook_events import QUEUE


async def find(request: web.Request) -> web.Response:
    """GET /console/api/webhook?state=&name=: list deliveries."""
    state, name, page_request = (
        choice(request, "state", WorkState) or WorkState.FAILED,
        text_parameter(request, "name"),
        page(request),
    )
    result = await request.app[CONTAINER].store.read(lambda s: list_deliveries(s, name, state, page_request))
    return page_response("deliveries", result.map(_delivery))


def _delivery(item: OutboxItem) -> dict[str, Any]:
    body = json.loads(item.body)
    return {
        "id": item.id,
        "webhook": item.queue.removeprefix(f"{QUEUE}:"),
        "type": body.get("type", ""),
        "event": body.get("id", ""),
        "state": item.state,
        "attempts": item.attempts,
        "error": item.error,
        "created_at": iso(item.created_at),
        "done_at": iso(item.done_at),
    }


async def resend(request: web.Request) -> web.Response:
    """POST /console/api/webhook/{id}/resend; `sent_again` is false if it had not failed."""
    container, actor, item_id = request.app[CONTAINER], request[VISITOR].actor, number(request, maximum=MAX_ROW_ID)
    resent = await container.store.write(lambda s: container.webhooks.send_again(s, item_id, actor))
    return json_response({"sent_again": resent.again, "state": resent.item.state}, 202)


async def overview(request: web.Request) -> web.Response:
    """GET /console/api/connections: webhooks, systems and open flows."""
    container = request.app[CONTAINER]
    runs = await container.flow_runs.open()
    names, served = await names_of(request, [run.person for run in runs]), await all_served(request)
    webhooks = [
        {
            "name": hook.name,
            "url": hook.shown_url,
            "events": list(hook.events),
            "waiting": served["queues"].get(f"{QUEUE}:{hook.name}", 0),
        }
        for hook in container.config.webhooks
    ]
    systems = [{"name": name, "url": str(system.base_url)} for name, system in container.config.systems.items()]
    flows = [
        {
            "id": run.id,
            "flow": run.flow,
            "person": run.person,
            "name": names.person(run.person),
            "assistant": run.account,
            "state": run.state,
            "step": run.step + 1,
            "started_at": iso(run.started_at),
            "deadline": iso(run.deadline),
        }
        for run in runs
    ]
    configured = [
        {"name": flow.name, "start": list(flow.start), "allow": flow.allow, "steps": len(flow.steps)}
        for flow in container.config.flows
    ]
    return json_response({"webhooks": webhooks, "systems": systems, "flows": flows, "configured_flows": configured})


async def end_flow(request: web.Request) -> web.Response:
    """POST /console/api/flow/{id}/end: cancel a flow and notify the person."""
    container, actor, run_id = request.app[CONTAINER], request[VISITOR].actor, number(request)
    await container.store.write(lambda s: container.flow_runs.cancel(s, run_id, actor))
    return web.Response(status=204)
