"""概览: accounts with login QR codes, pending work, and daily totals."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any, Final

import segno
from aiohttp import web

from api.app_keys import ASSISTANTS, HOUSE
from api.responses import iso, reply
from app.assistants import AssistantStatus
from app.container import Container
from errors import NotFound
from models.durable import WorkState
from services.upkeep.overview import daily_totals

DAYS: Final = 30


async def read(request: web.Request) -> web.Response:
    """GET /console/api/overview: state of accounts, tickets and queues."""
    container = request.app[HOUSE]
    accounts = [account(container, status) for status in request.app[ASSISTANTS].listed()]
    days = await container.store.read(lambda s: daily_totals(s, container.zone, container.clock(), DAYS))
    failed = await container.webhooks.listed(WorkState.FAILED)
    tickets = list(container.tickets)
    waiting = [ticket for ticket in tickets if not ticket.staff_id]
    return reply(
        {
            "accounts": accounts,
            "days": [asdict(day) for day in days],
            "tickets": {
                "open": len(tickets),
                "waiting": len(waiting),
                "oldest": iso(min((ticket.opened_at for ticket in waiting), default=None)),
            },
            "failed_webhooks": len(failed),
            "queues": container.outbox.waiting(),
        }
    )


def account(container: Container, status: AssistantStatus) -> dict[str, Any]:
    """Return the JSON representation of an account, without the content of its QR code."""
    wechat = container.accounts.get(status.account)
    language = container.config.language
    return {
        "account": status.account,
        "state": status.state,
        "since": iso(container.accounts.since(status.account)),
        "reason": wechat.reason.text(language) if wechat.reason else "",
        "friends": status.friends,
        "groups": status.groups,
        "waiting": status.waiting,
        "scan": wechat.scan_state if wechat.qr_code else "none",
        "staff_room": _staff_room(container, status.account),
        "pace": {kind: round(ratio, 3) for kind, ratio in container.accounts.governor(status.account).used().items()},
    }


def _staff_room(container: Container, name: str) -> str:
    room = container.staff_rooms.of(name)
    return room.topic if room else ""


async def login_code(request: web.Request) -> web.Response:
    """GET /console/api/assistant/{account}/login.svg: login QR code; 404 if there is none."""
    code = request.app[HOUSE].accounts.get(request.match_info["account"]).qr_code
    if not code:
        raise NotFound("no login QR code")
    return picture(code)


def picture(content: str) -> web.Response:
    """Return a QR code as SVG."""
    drawn = io.BytesIO()
    segno.make(content, error="m").save(drawn, kind="svg", scale=6, border=2, dark="#000", light="#fff", xmldecl=False)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=drawn.getvalue(), content_type="image/svg+xml", headers=headers)
