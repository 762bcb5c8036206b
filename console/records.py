"""记录: audit log and sent messages, as pages and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiohttp import web
from sqlmodel import Session

from api.app_keys import CONTAINER
from api.body import number
from api.query import choice, moment, page, text_parameter
from api.responses import iso, json_response, page_response
from console.access import VISITOR
from console.names import Names, acting, find_ids, names_of, targets
from console.peers import all_accounts
from models.durable import Action, OutboxItem, WorkState
from models.row_id import MAX_ROW_ID
from services.accounts.audit_list import AuditFilter, list_actions
from services.accounts.console_sessions import Role
from services.groups.join_tokens import find_token
from services.messaging.conversations import as_one_line, without_login_link
from services.messaging.sent_list import list_messages, send_again
from services.paging import MAX_LIMIT, Page, PageRequest

Load = Callable[[Session, PageRequest], Page[dict[str, Any]]]
MAX_CSV_PAGES: Final = 500  # of 200 lines
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # cells that a spreadsheet would evaluate as formulas
MESSAGE_COLUMNS: Final = (
    "id", "created_at", "done_at", "assistant", "to", "name", "text", "state", "attempts", "error",
)  # fmt: skip
COLUMNS: Final = ("id", "at", "assistant", "kind", "who", "target", "outcome", "seen", "detail")


async def audit(request: web.Request) -> web.Response:
    """GET /console/api/audit?since=&kind=&who=&q="""
    criteria, page_request = _filter(request), page(request)
    result = await request.app[CONTAINER].store.read(lambda s: list_actions(s, criteria, page_request))
    ids, numbers = targets(row.target for row in result.rows)
    names = await names_of(request, ids + acting(row.who for row in result.rows), numbers)
    return page_response("actions", result.map(lambda row: _with_names(row, names)))


def _with_names(row: Action, names: Names) -> dict[str, Any]:
    """Return a line of the audit log with the names of the actor and the target."""
    return {**_action(row), "who_name": names.actor(row.who), "target_name": names.target(row.target)}


def _filter(request: web.Request) -> AuditFilter:
    q = text_parameter(request, "q")
    return AuditFilter(
        since=moment(request, "since"),
        kind=text_parameter(request, "kind"),
        who=text_parameter(request, "who"),
        q=q,
        ids=find_ids(request.app[CONTAINER], q) if q else (),
    )


def _action(row: Action) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": iso(row.at),
        "assistant": row.account,
        "kind": row.kind,
        "who": row.who,
        "target": row.target,
        "outcome": row.outcome,
        "seen": row.seen,
        "detail": row.detail,
    }


async def audit_csv(request: web.Request) -> web.StreamResponse:
    """GET /console/api/audit.csv: the same, as a table."""
    criteria = _filter(request)

    def load(session: Session, page_request: PageRequest) -> Page[dict[str, Any]]:
        return list_actions(session, criteria, page_request).map(_action)

    return await _table(request, "audit", COLUMNS, load)


async def _table(
    request: web.Request,
    name: str,
    columns: Sequence[str],
    load: Callable[[Session, PageRequest], Page[dict[str, Any]]],
) -> web.StreamResponse:
    """Return a list as CSV; at most 100 000 lines."""
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}.csv"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
    )
    await response.prepare(request)
    await response.write(b"\xef\xbb\xbf" + _csv([columns]))  # the mark that makes spreadsheets read UTF-8
    after: int | None = None
    for _ in range(MAX_CSV_PAGES):
        page_request = PageRequest(MAX_LIMIT, after)
        result = await request.app[CONTAINER].store.read(lambda s, page_request=page_request: load(s, page_request))  # type: ignore[misc]
        await response.write(_csv([[_cell(row[column]) for column in columns] for row in result.rows]))
        if result.next is None:
            break
        after = int(result.next)
    return response


def _cell(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value if value is not None else "")
    return f"'{text}" if text.startswith(FORMULA) else text


def _csv(rows: Any) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()


async def messages(request: web.Request) -> web.Response:
    """GET /console/api/message?state=&q="""
    load, page_request = await _messages(request), page(request)
    result = await request.app[CONTAINER].store.read(lambda s: load(s, page_request))
    names = await names_of(request, [row["to"] for row in result.rows if not row["name"]])
    return page_response("messages", result.map(lambda row: {**row, "name": row["name"] or names.target(row["to"])}))


async def messages_csv(request: web.Request) -> web.StreamResponse:
    """GET /console/api/message.csv: the same, as a table."""
    return await _table(request, "messages", MESSAGE_COLUMNS, await _messages(request))


async def _messages(request: web.Request) -> Load:
    container, state, q = request.app[CONTAINER], choice(request, "state", WorkState), text_parameter(request, "q")
    accounts, ids = await all_accounts(request), find_ids(container, q) if q else []

    def load(session: Session, page_request: PageRequest) -> Page[dict[str, Any]]:
        return list_messages(session, accounts, state, q, page_request, ids).map(lambda item: _message(request, item))

    return load


def _message(request: web.Request, item: OutboxItem) -> dict[str, Any]:
    container, body = request.app[CONTAINER], json.loads(item.body)
    account = item.queue.partition(":")[2]
    wechat = container.accounts.find(account)
    contact = wechat.directory.contacts.get(item.key) if wechat else None
    room = wechat.directory.rooms.get(item.key) if wechat else None
    text = as_one_line(body["type"], str(body.get("text") or body.get("title") or body.get("name") or ""))
    return {
        "id": item.id,
        "assistant": account,
        "to": item.key,
        "name": contact.name if contact else room.topic if room else "",
        "text": _without_secrets(request, text)[:200],
        "state": item.state,
        "attempts": item.attempts,
        "error": item.error,
        "created_at": iso(item.created_at),
        "done_at": iso(item.done_at),
    }


def _without_secrets(request: web.Request, text: str) -> str:
    """Remove login links and, for agents, join tokens from a message."""
    text = without_login_link(text)
    while request[VISITOR].role is not Role.ADMIN and (token := find_token(text)):
        text = text.replace(token, "…")
    return text


async def resend(request: web.Request) -> web.Response:
    """POST /console/api/message/{id}/resend; `sent_again` is false if it had not failed."""
    container, actor, item_id = request.app[CONTAINER], request[VISITOR].actor, number(request, maximum=MAX_ROW_ID)

    def write(session: Session) -> tuple[bool, str]:
        queued = send_again(session, container.outbox, container.audit, item_id, actor)
        return queued, session.get_one(OutboxItem, item_id).state

    queued_again, state = await container.store.write(write)
    return json_response({"sent_again": queued_again, "state": state}, 202)
