"""Audit log."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from api.app_keys import CONTAINER
from api.query import moment, page, text_parameter
from api.responses import iso, page_response
from models.durable import Action
from services.accounts.audit_list import AuditFilter, list_actions


async def find(request: web.Request) -> web.Response:
    """GET /wxbot/audit: newest first."""
    criteria = AuditFilter(
        since=moment(request, "since"), kind=text_parameter(request, "kind"), who=text_parameter(request, "who")
    )
    page_request = page(request)
    result = await request.app[CONTAINER].store.read(lambda s: list_actions(s, criteria, page_request))
    return page_response("audit", result.map(_to_json))


def _to_json(action: Action) -> dict[str, Any]:
    return {
        "id": action.id,
        "at": iso(action.at),
        "assistant": action.account,
        "kind": action.kind,
        "who": action.who,
        "target": action.target,
        "detail": action.detail,
        "outcome": action.outcome,
        "seen": action.seen,
    }
