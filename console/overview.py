"""概览: accounts, pending work and daily numbers, and the status shown on every page."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlmodel import Session

from api.app_keys import CONTAINER
from api.responses import iso, json_response
from console.accounts import all_served
from console.peers import gather_parts
from models.durable import WorkState
from models.statistics import DayTotal
from services.support.lists import count_unfinished


async def read(request: web.Request) -> web.Response:
    """GET /console/api/overview: state of accounts, tickets and queues."""
    container = request.app[CONTAINER]

    def load(session: Session) -> Any:
        totals = container.daily_totals
        return totals.read(session), totals.peaks(session), count_unfinished(session)

    days, peaks, tickets = await container.store.read(load)
    failed = await container.webhooks.newest_events(WorkState.FAILED)
    served = await all_served(request)
    return json_response(
        {
            "accounts": served["accounts"],
            "days": [_day(day) for day in days],
            "pace": [
                {"day": peak.day, "account": peak.account, "kind": peak.kind, "ratio": peak.ratio} for peak in peaks
            ],
            "tickets": {
                "open": tickets.open,
                "waiting": tickets.waiting,
                "oldest": iso(tickets.oldest),
            },
            "failed_webhooks": len(failed),
            "queues": served["queues"],
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
    parts = await gather_parts(request, "away", local_offline_accounts)
    offline = [account for part in parts for account in part["away"]]
    tickets = await request.app[CONTAINER].store.read(count_unfinished)
    return json_response({"status": {"waiting": tickets.waiting, "away": offline}})


def local_offline_accounts(request: web.Request) -> dict[str, Any]:
    """Return the accounts of this process that are not online."""
    container = request.app[CONTAINER]
    language = container.config.language
    offline = [
        {
            "account": wechat.account,
            "state": wechat.state,
            "since": iso(container.accounts.offline_since(wechat.account)),
            "long": container.offline_alerts.is_overdue(wechat.account),
            "reason": wechat.reason.text(language) if wechat.reason else "",
            "scan": bool(wechat.qr_code),
        }
        for wechat in container.accounts
        if not container.accounts.is_online(wechat.account)
    ]
    return {"away": offline}
