"""记录: audit log and sent messages, as pages and CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Final

from aiohttp import web

from api.app_keys import HOUSE
from api.body import number
from api.query import choice, moment, page, word
from api.responses import iso, listing, reply
from console.access import VISITOR
from models.durable import Action, OutboxItem, WorkState
from services.accounts.audit_list import AuditFilter, list_actions
from services.accounts.console_sessions import Role
from services.groups.join_tokens import find_token
from services.messaging.conversations import shown, without_login_link
from services.messaging.sent_list import list_messages, send_again
from services.paging import MAX_LIMIT, PageRequest

MAX_CSV_PAGES: Final = 500  # of 200 lines
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # characters with which spreadsheets begin formulas
COLUMNS: Final = ("id", "at", "assistant", "kind", "who", "target", "outcome", "seen", "detail")


async def audit(request: web.Request) -> web.Response:
    """GET /console/api/audit?since=&kind=&who=: list audit entries."""
    wanted, asked = _filter(request), page(request)
    found = await request.app[HOUSE].store.read(lambda s: list_actions(s, wanted, asked))
    return listing("actions", found.map(_action))


def _filter(request: web.Request) -> AuditFilter:
    return AuditFilter(since=moment(request, "since"), kind=word(request, "kind"), who=word(request, "who"))


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
    """GET /console/api/audit.csv: the audit log as CSV; at most 100 000 lines."""
    wanted, store = _filter(request), request.app[HOUSE].store
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": 'attachment; filename="audit.csv"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
    )
    await response.prepare(request)
    await response.write(b"\xef\xbb\xbf" + _csv([COLUMNS]))  # the BOM makes spreadsheets read UTF-8
    after: int | None = None
    for _ in range(MAX_CSV_PAGES):
        asked = PageRequest(MAX_LIMIT, after)
        found = await store.read(lambda s, asked=asked: list_actions(s, wanted, asked))  # type: ignore[misc]
        rows = [[_cell(value) for value in _action(row).values()] for row in found.rows]
        await response.write(_csv(rows))
        if found.next is None:
            break
        after = int(found.next)
    return response


def _cell(value: Any) -> str:
    words = (
        json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value if value is not None else "")
    )
    return f"'{words}" if words.startswith(FORMULA) else words


def _csv(rows: Any) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()


async def messages(request: web.Request) -> web.Response:
    """GET /console/api/message?state=&to=: list sent messages."""
    container, asked = request.app[HOUSE], page(request)
    state, to, accounts = choice(request, "state", WorkState), word(request, "to"), container.accounts.names()
    found = await container.store.read(lambda s: list_messages(s, accounts, state, to, asked))
    return listing("messages", found.map(lambda item: _message(request, item)))


def _message(request: web.Request, item: OutboxItem) -> dict[str, Any]:
    container, body = request.app[HOUSE], json.loads(item.body)
    account = item.queue.partition(":")[2]
    contact = container.accounts.get(account).directory.contacts.get(item.key)
    room = container.accounts.get(account).directory.rooms.get(item.key)
    said = shown(body["type"], str(body.get("text") or body.get("title") or body.get("name") or ""))
    return {
        "id": item.id,
        "assistant": account,
        "to": item.key,
        "name": contact.name if contact else room.topic if room else "",
        "text": _harmless(request, said)[:200],
        "state": item.state,
        "attempts": item.attempts,
        "error": item.error,
        "created_at": iso(item.created_at),
        "done_at": iso(item.done_at),
    }


def _harmless(request: web.Request, said: str) -> str:
    """Remove login links and, for agents, join tokens from a message."""
    said = without_login_link(said)
    while request[VISITOR].role is not Role.ADMIN and (token := find_token(said)):
        said = said.replace(token, "…")
    return said


async def resend(request: web.Request) -> web.Response:
    """POST /console/api/message/{id}/resend; `sent_again` is false if it had not failed."""
    container, who, item_id = request.app[HOUSE], request[VISITOR].actor, number(request)

    def write(session: Any) -> bool:
        again = send_again(session, container.outbox, item_id)
        if again:
            container.audit.note(session, "", "message_resend", who, str(item_id), "done")
        return again

    return reply({"sent_again": await container.store.write(write)}, 202)
