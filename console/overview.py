"""概览: accounts, pending work and daily numbers, and the status shown on every page."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlmodel import Session

from api.app_keys import ASSISTANTS, HOUSE
from api.responses import iso, reply
from console.accounts import shown
from models.durable import WorkState
from models.statistics import DayTotal


async def read(request: web.Request) -> web.Response:
    """GET /console/api/overview: state of accounts, tickets and queues."""
    container = request.app[HOUSE]

    def load(session: Session) -> Any:
        return container.daily_totals.read(session), container.daily_totals.peaks(session)

    days, peaks = await container.store.read(load)
    failed = await container.webhooks.listed(WorkState.FAILED)
    tickets = list(container.tickets)
    waiting = [ticket for ticket in tickets if not ticket.staff_id]
    return reply(
        {
            "accounts": [shown(container, status) for status in request.app[ASSISTANTS].listed_here()],
            "days": [_day(day) for day in days],
            "pace": [{"day": one.day, "account": one.account, "kind": one.kind, "ratio": one.ratio} for one in peaks],
            "tickets": {
                "open": len(tickets),
                "waiting": len(waiting),
                "oldest": iso(min((ticket.opened_at for ticket in waiting), default=None)),
            },
            "failed_webhooks": len(failed),
            "queues": container.outbox.waiting(),
        }
    )


def _day(day: DayTotal) -> dict[str, Any]:
    return {
        "day": day.day,
        "messages": day.messages,
        "joins": day.joins,
        "leaves": day.leaves,
        "sent": day.sent,
        "tickets": day.tickets,
        "answered": day.answered,
        "first_answer": day.first_answer,
        "mark": day.mark_sum / day.marks if day.marks else None,
    }


async def status(request: web.Request) -> web.Response:
    """GET /console/api/status: how many customers wait, and which accounts are not online."""
    container = request.app[HOUSE]
    language = container.config.language
    away = [
        {
            "account": wechat.account,
            "state": wechat.state,
            "since": iso(container.accounts.away_since(wechat.account)),
            "long": container.offline_alerts.is_long(wechat.account),
            "reason": wechat.reason.text(language) if wechat.reason else "",
            "scan": bool(wechat.qr_code),
        }
        for wechat in container.accounts
        if not container.accounts.is_online(wechat.account)
    ]
    waiting = sum(not ticket.staff_id for ticket in container.tickets)
    return reply({"status": {"waiting": waiting, "away": away}})
