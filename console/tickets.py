"""客服: tickets, their conversations, and actions of agents."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web
from sqlmodel import Session, col, select

from api.app_keys import CONTAINER
from api.body import field, number, read_large_object, read_object, text
from api.content import read_content
from api.query import choice, page, text_parameter
from api.responses import iso, json_response, page_response
from app.container import Container
from console.access import VISITOR, agent_of
from errors import InvalidParameter, NotFound
from models.conversations import StoredMessage
from models.durable import OutboxItem, WorkState
from models.row_id import MAX_ROW_ID
from models.support import Ticket
from services.accounts.console_sessions import TERMINAL
from services.support.lists import TicketView, author_of, list_for_agent, read_conversation
from services.support.ticket_viewers import Activity

SHOWN_AS_PICTURE: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")


async def find(request: web.Request) -> web.Response:
    """GET /console/api/ticket?view=&q=: list tickets."""
    view, q, page_request = (
        choice(request, "view", TicketView) or TicketView.OPEN,
        text_parameter(request, "q"),
        page(request),
    )
    me = request[VISITOR].contact_id
    container = request.app[CONTAINER]
    result = await container.store.read(lambda s: list_for_agent(s, view, me, q, page_request))
    return page_response("tickets", result.map(lambda ticket: ticket_json(container, ticket)))


async def read(request: web.Request) -> web.Response:
    """GET /console/api/ticket/{id}: a ticket with a page of its conversation, the customer, and who else views it."""
    container, ticket_id, page_request = request.app[CONTAINER], number(request), page(request)
    result = await container.store.read(lambda s: _read(s, ticket_id, page_request))
    if result is None:
        raise NotFound(f"ticket {ticket_id}")
    ticket, messages, states, earlier = result
    messages_shown = [_message(container, ticket, row, states) for row in reversed(messages.rows)]
    return json_response(
        {
            "ticket": ticket_json(container, ticket),
            "messages": messages_shown,
            "next": messages.next,
            "customer": _customer(container, ticket, earlier),
            "staff": _staff(container, ticket.account),
            "present": _present(request, ticket_id),
        }
    )


def _read(session: Session, ticket_id: int, page_request: Any) -> Any:
    result = read_conversation(session, ticket_id, page_request)
    if result is None:
        return None
    ticket, messages = result
    keys = [row.outbox_key for row in messages.rows if row.outbox_key]
    items = session.exec(select(OutboxItem).where(col(OutboxItem.idempotency_key).in_(keys))).all() if keys else []
    same = select(Ticket).where(Ticket.account == ticket.account, Ticket.contact_id == ticket.contact_id)
    earlier = session.exec(same.where(Ticket.id != ticket_id).order_by(col(Ticket.id).desc()).limit(10)).all()
    return ticket, messages, {item.idempotency_key: item for item in items}, earlier


def ticket_json(container: Container, ticket: Ticket) -> dict[str, Any]:
    """Return the JSON representation of a ticket."""
    return {
        "id": ticket.id,
        "assistant": ticket.account,
        "contact_id": ticket.contact_id,
        "name": _name(container, ticket.account, ticket.contact_id) or ticket.name,
        "state": ticket.state,
        "staff_id": ticket.staff_id,
        "staff": ticket.staff_name,
        "opened_at": iso(ticket.opened_at),
        "last_at": iso(ticket.last_at),
        "closed_at": iso(ticket.closed_at),
        "closed_by": ticket.closed_by,
        "mark": ticket.mark,
    }


def _name(container: Container, account: str, contact_id: str) -> str:
    if account not in container.accounts.names():
        return ""
    contact = container.accounts.get(account).directory.contacts.get(contact_id)
    return (contact.alias or contact.name) if contact else ""


def _message(container: Container, ticket: Ticket, row: StoredMessage, items: dict[str, OutboxItem]) -> dict[str, Any]:
    item = items.get(row.outbox_key) if row.outbox_key else None
    state = container.outbox.state_of(item) if item else ""
    return {
        "id": row.id,
        "at": iso(row.at),
        "by": author_of(ticket, row),
        "staff": "" if row.staff in ("", TERMINAL) else _name(container, ticket.account, row.staff) or row.staff,
        "kind": row.kind,
        "text": row.text,
        "internal": row.internal,
        "media": bool(row.media),
        "picture": bool(row.media) and mimetypes.guess_type(row.media)[0] in SHOWN_AS_PICTURE,
        "state": state,
        "error": item.error if item and state in (WorkState.FAILED, WorkState.UNKNOWN, WorkState.QUEUED) else "",
        "message_id": item.id if item else None,
    }


def _customer(container: Container, ticket: Ticket, earlier: Any) -> dict[str, Any]:
    wechat = container.accounts.get(ticket.account) if ticket.account in container.accounts.names() else None
    contact = wechat.directory.contacts.get(ticket.contact_id) if wechat else None
    groups = [
        {"number": qun.number, "topic": qun.topic}
        for qun in container.groups
        if wechat and qun.account == ticket.account and container.groups.room_of(qun, ticket.contact_id)
    ]
    return {
        "name": contact.name if contact else ticket.name,
        "alias": contact.alias if contact else "",
        "weixin": contact.weixin if contact else "",
        "friend": bool(contact and contact.friend),
        "groups": groups[:20],
        "earlier": [ticket_json(container, ticket) for ticket in earlier],
    }


def _staff(container: Container, account: str) -> list[dict[str, str]]:
    if account not in container.accounts.names():
        return []
    wechat, room = container.accounts.get(account), container.staff_rooms.of(account)
    ids = sorted(room.member_ids - {wechat.self_id}) if room else []
    return [{"id": id, "name": _name(container, account, id) or id} for id in ids]


# ---- actions ----


async def answer(request: web.Request) -> web.Response:
    """POST /console/api/ticket/{id}/reply {key, text | image | file}: queue a reply."""
    container, ticket_id, agent = request.app[CONTAINER], number(request), agent_of(request)
    body = await read_large_object(request)
    key = field(body, "key")
    content = await read_content({name: body[name] for name in body if name != "key"}, container.attachments)
    await container.store.write(lambda s: container.agent_actions.reply(s, ticket_id, agent, content, key))
    return json_response({"ticket": {"id": ticket_id}}, 202)


async def note(request: web.Request) -> web.Response:
    """POST /console/api/ticket/{id}/note {text}: add a note."""
    container, ticket_id, agent = request.app[CONTAINER], number(request), agent_of(request)
    note = text(await read_object(request), "text")
    await container.store.write(lambda s: container.agent_actions.add_note(s, ticket_id, agent, note))
    return json_response({"ticket": {"id": ticket_id}})


async def assign(request: web.Request) -> web.Response:
    """POST /console/api/ticket/{id}/assign {staff}: assign to a staff member, by default to oneself."""
    container, ticket_id, agent = request.app[CONTAINER], number(request), agent_of(request)
    body = await read_object(request)
    ticket = await container.store.read(lambda s: s.get(Ticket, ticket_id))
    if ticket is None:
        raise NotFound(f"ticket {ticket_id}")
    staff = {member["id"]: member["name"] for member in _staff(container, ticket.account)} | {agent.id: agent.name}
    assignee = field(body, "staff") if body.get("staff") else agent.id
    if assignee not in staff:
        raise InvalidParameter("staff")
    await container.store.write(
        lambda s: container.agent_actions.assign(s, ticket_id, agent, assignee, staff[assignee])
    )
    return json_response({"ticket": {"id": ticket_id}})


async def close(request: web.Request) -> web.Response:
    """POST /console/api/ticket/{id}/close: close the ticket."""
    container, ticket_id, agent = request.app[CONTAINER], number(request), agent_of(request)
    await container.store.write(lambda s: container.agent_actions.close(s, ticket_id, agent))
    return json_response({"ticket": {"id": ticket_id}})


async def reopen(request: web.Request) -> web.Response:
    """POST /console/api/ticket/{id}/reopen: reopen the ticket."""
    container, ticket_id, agent = request.app[CONTAINER], number(request), agent_of(request)
    await container.store.write(lambda s: container.agent_actions.reopen(s, ticket_id, agent))
    return json_response({"ticket": {"id": ticket_id}})


async def remark(request: web.Request) -> web.Response:
    """POST /console/api/ticket/{id}/remark {alias}: the customer's 备注 in WeChat."""
    container, ticket_id = request.app[CONTAINER], number(request)
    alias = field(await read_object(request), "alias")
    ticket = await container.store.read(lambda s: s.get(Ticket, ticket_id))
    if ticket is None:
        raise NotFound(f"ticket {ticket_id}")
    await container.agent_actions.set_remark(ticket, agent_of(request), alias)
    return json_response({"ticket": {"id": ticket_id}})


# ---- presence ----


async def report_presence(request: web.Request) -> web.Response:
    """POST /console/api/ticket/{id}/presence {doing}: viewing, writing or left."""
    ticket_id, visitor = number(request), request[VISITOR]
    try:
        activity = Activity(field(await read_object(request), "doing"))
    except ValueError:
        raise InvalidParameter("doing") from None
    name = visitor.name or ("" if visitor.contact_id == TERMINAL else visitor.contact_id)
    request.app[CONTAINER].ticket_viewers.record_activity(ticket_id, visitor.session_id, name, activity)
    return json_response({"present": _present(request, ticket_id)})


def _present(request: web.Request, ticket_id: int) -> list[dict[str, str]]:
    viewers = request.app[CONTAINER].ticket_viewers.other_viewers(ticket_id, request[VISITOR].session_id)
    return [{"name": viewer.name, "doing": viewer.doing} for viewer in viewers]


def _ticket_message(session: Session, said_id: int) -> StoredMessage | None:
    """Return a message of a person who has had a ticket."""
    row = session.get(StoredMessage, said_id)
    if row is None:
        return None
    query = select(Ticket.id).where(Ticket.account == row.account, Ticket.contact_id == row.conversation)
    return row if session.exec(query).first() is not None else None


async def media(request: web.Request) -> web.StreamResponse:
    """GET /console/api/media/{id}: download the image or file of a message."""
    container, said_id = request.app[CONTAINER], number(request, maximum=MAX_ROW_ID)
    row = await container.store.read(lambda s: _ticket_message(s, said_id))
    path = Path(row.media) if row is not None and row.media else None
    if (
        row is None
        or path is None
        or not path.is_file()
        or not path.resolve().is_relative_to(container.media.folder.resolve())
    ):
        raise NotFound(f"media {said_id}")
    kind = mimetypes.guess_type(path.name)[0] or ""
    response = web.FileResponse(path)
    response.content_type = kind if kind in SHOWN_AS_PICTURE else "application/octet-stream"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, max-age=3600"
    if kind not in SHOWN_AS_PICTURE:
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{_quoted(row.text or path.name)}"
    return response


def _quoted(name: str) -> str:
    return quote(name, safe="")
