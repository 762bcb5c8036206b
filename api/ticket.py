"""Tickets: list, and read with their messages."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from api.app_keys import CONTAINER
from api.body import number
from api.query import choice, page, text_parameter
from api.responses import iso, json_response, page_response
from errors import NotFound
from models.conversations import StoredMessage
from models.support import Ticket, TicketState
from services.support.lists import author_of, list_tickets, read_ticket


async def find(request: web.Request) -> web.Response:
    """GET /wxbot/ticket: newest first."""
    account, state, page_request = (
        text_parameter(request, "assistant"),
        choice(request, "state", TicketState),
        page(request),
    )
    result = await request.app[CONTAINER].store.read(lambda s: list_tickets(s, account, state, page_request))
    return page_response("tickets", result.map(_to_json))


async def read(request: web.Request) -> web.Response:
    """GET /wxbot/ticket/{id}: the ticket with a page of its messages, newest first."""
    ticket_id, page_request = number(request), page(request)
    result = await request.app[CONTAINER].store.read(lambda s: read_ticket(s, ticket_id, page_request))
    if result is None:
        raise NotFound(f"ticket {ticket_id}")
    ticket, messages = result
    data = {**_to_json(ticket), "messages": [_message(ticket, row) for row in messages.rows]}
    return json_response({"ticket": data, "next": messages.next})


def _to_json(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "assistant": ticket.account,
        "contact_id": ticket.contact_id,
        "name": ticket.name,
        "state": ticket.state,
        "staff": ticket.staff_name,
        "opened_at": iso(ticket.opened_at),
        "last_at": iso(ticket.last_at),
        "closed_at": iso(ticket.closed_at),
        "closed_by": ticket.closed_by,
        "mark": ticket.mark,
    }


def _message(ticket: Ticket, row: StoredMessage) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": iso(row.at),
        "by": author_of(ticket, row),
        "staff": row.staff,
        "kind": row.kind,
        "text": row.text,
        "internal": row.internal,
    }
