"""对接: webhook deliveries, open flows, business systems."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from sqlmodel import Session

from api.app_keys import HOUSE
from api.body import number
from api.query import choice, page, word
from api.responses import iso, listing, reply
from console.access import VISITOR
from errors import NotFound
from models.durable import OutboxItem, WorkState
from services.messaging.webhook_delivery import list_deliveries
from services.messaging.webhook_events import QUEUE


async def find(request: web.Request) -> web.Response:
    """GET /console/api/webhook?state=&name=: list deliveries."""
    state, name, asked = choice(request, "state", WorkState) or WorkState.FAILED, word(request, "name"), page(request)
    found = await request.app[HOUSE].store.read(lambda s: list_deliveries(s, name, state, asked))
    return listing("deliveries", found.map(_delivery))


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
    container, who, item_id = request.app[HOUSE], request[VISITOR].actor, number(request)

    def write(session: Session) -> bool:
        before = session.get(OutboxItem, item_id)
        had_failed = before is not None and before.state == WorkState.FAILED
        item = container.webhooks.send_again(session, item_id)
        if item is None:
            raise NotFound(f"webhook {item_id}")
        if had_failed:
            container.audit.note(session, "", "webhook_resend", who, str(item_id), "done")
        return had_failed

    return reply({"sent_again": await container.store.write(write)}, 202)


async def overview(request: web.Request) -> web.Response:
    """GET /console/api/connections: webhooks, systems and open flows."""
    container = request.app[HOUSE]
    runs = await container.flows.open_runs()
    webhooks = [
        {
            "name": hook.name,
            "url": hook.plain_url,
            "events": list(hook.events),
            "waiting": container.outbox.waiting().get(f"{QUEUE}:{hook.name}", 0),
        }
        for hook in container.config.webhooks
    ]
    systems = [{"name": name, "url": str(one.base_url)} for name, one in container.config.systems.items()]
    flows = [
        {
            "id": run.id,
            "flow": run.flow,
            "person": run.person,
            "assistant": run.account,
            "state": run.state,
            "step": run.step + 1,
            "started_at": iso(run.started_at),
            "deadline": iso(run.deadline),
        }
        for run in runs
    ]
    return reply({"webhooks": webhooks, "systems": systems, "flows": flows})


async def end_flow(request: web.Request) -> web.Response:
    """POST /console/api/flow/{id}/end: cancel a flow and tell its person."""
    container, who, run_id = request.app[HOUSE], request[VISITOR].actor, number(request)

    def write(session: Session) -> None:
        run = container.flows.end(session, run_id)
        if run is None:
            raise NotFound(f"flow run {run_id}")
        container.audit.note(session, run.account, "flow", who, str(run_id), "done", flow=run.flow)

    await container.store.write(write)
    return web.Response(status=204)
