"""What a page of a list costs when its table has 10^2, 10^4 and 10^6 rows: `python -m benchmarks lists`.

SQLite, and PostgreSQL where WXBOT_BENCH_POSTGRES names an empty database.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text
from sqlmodel import Session

from benchmarks.tables import table
from models.db import Store
from models.durable import WorkState
from models.groups import MemberState, QunState
from models.support import TicketState
from services.accounts.audit_list import AuditFilter, list_actions
from services.groups.lists import QunFilter, list_members, list_quns
from services.messaging.webhook_delivery import list_deliveries
from services.paging import Page, PageRequest
from services.support.lists import list_tickets, read_ticket

SIZES: Final = (100, 10_000, 1_000_000)
PAGES: Final = 60
LIMIT: Final = 10  # so that the smallest table fills a page, too
Read = Callable[[Session, PageRequest], Page[Any]]

# Rows are made by the database itself. Every tenth is of another account, kind or state.
NUMBERS: Final = "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
FILL: Final = (
    """INSERT INTO qun (number, code, account, owner, owner_id, companion_id, topic, token, public_id, state,
    wants_report, created_at) {numbers} SELECT i, 'c' || i, CASE WHEN i % 10 = 0 THEN 'b' ELSE 'a' END,
    'o' || (i % 1000), 'w' || (i % 1000), 'x', 'topic ' || i, 't' || i, 'p' || i,
    CASE WHEN i % 10 = 1 THEN 'lost' ELSE 'active' END, {false}, i FROM n""",
    """INSERT INTO membership (number, who, account, contact_id, name, state, source, error, created_at, updated_at)
    {numbers} SELECT 1, 'w' || i, 'a', 'w' || i, 'name', CASE WHEN i % 10 = 0 THEN 'left' ELSE 'joined' END, 'rest',
    '', i, i FROM n""",
    """INSERT INTO ticket (account, contact_id, name, state, room_id, staff_id, staff_name, told, called_by, called_at,
    opened_at, last_at, closed_by) {numbers} SELECT CASE WHEN i % 10 = 0 THEN 'b' ELSE 'a' END, 'w' || i, 'n',
    CASE WHEN i % 10 = 1 THEN 'open' ELSE 'closed' END, '', '', '', 0, '', 0, i, i, '' FROM n""",
    """INSERT INTO said (account, conversation, "by", staff, at, kind, text, media, message_id, ticket, internal)
    {numbers} SELECT 'a', 'w', 'w', '', i, 'text', 'hello', '', '', CASE WHEN i % 10 = 0 THEN 1 END, {false} FROM n""",
    """INSERT INTO action (at, account, kind, who, target, detail, outcome, seen) {numbers} SELECT i, 'a',
    CASE WHEN i % 10 = 0 THEN 'group' ELSE 'add' END, CASE WHEN i % 10 = 1 THEN 'guard' ELSE 'rest:erp' END, 't',
    '{{}}', 'done', '' FROM n""",
    """INSERT INTO outboxitem (queue, "key", priority, body, state, attempts, error, result, fingerprint, run_at,
    created_at) {numbers} SELECT CASE WHEN i % 10 = 0 THEN 'hook:erp' ELSE 'wx:a' END, 'k', 'b-notice', '{{}}',
    CASE WHEN i % 20 = 0 THEN 'failed' ELSE 'sent' END, 0, '', '', '', 0, i FROM n""",
)


def _messages(session: Session, page: PageRequest) -> Page[Any]:
    found = read_ticket(session, 1, page)
    assert found is not None
    return found[1]


def _reads(rows: int) -> dict[str, Read]:
    return {
        "groups": lambda s, p: list_quns(s, QunFilter(), p),
        "groups of an assistant": lambda s, p: list_quns(s, QunFilter(account="b"), p),
        "groups of an assistant in a state": lambda s, p: list_quns(s, QunFilter("a", QunState.LOST), p),
        "members of one group": lambda s, p: list_members(s, 1, MemberState.JOINED, p),
        "tickets in a state": lambda s, p: list_tickets(s, "", TicketState.OPEN, p),
        "tickets of an assistant": lambda s, p: list_tickets(s, "b", None, p),
        "messages of a ticket": _messages,
        "audit log": lambda s, p: list_actions(s, AuditFilter(), p),
        "audit log by kind since": lambda s, p: list_actions(s, AuditFilter(rows / 10, "group"), p),
        "audit log by actor": lambda s, p: list_actions(s, AuditFilter(who="guard"), p),
        "deliveries failed": lambda s, p: list_deliveries(s, "", WorkState.FAILED, p),
    }


async def run() -> str:
    """A table for each database."""
    with tempfile.TemporaryDirectory() as folder:
        made = [await _measure("SQLite", f"sqlite:///{Path(folder)}/wxbot.db")]
    if url := os.environ.get("WXBOT_BENCH_POSTGRES"):
        made.append(await _measure("PostgreSQL", url))
    return "\n".join(made)


async def _measure(name: str, url: str) -> str:
    store = Store(url)
    await store.open()
    costs: dict[str, list[float]] = {}
    have = 0
    for size in SIZES:
        await store.write(lambda s, first=have + 1, last=size: _fill(s, first, last))
        have = size
        for what, read in _reads(size).items():
            costs.setdefault(what, []).append(await _page_cost(store, read))
    await store.close()
    lines = [
        (what, *(f"{cost * 1000:.2f}" for cost in found), f"{max(found) / found[0]:.2f}")
        for what, found in costs.items()
    ]
    return table(f"a page of {LIMIT}, {name}", ("list", *(f"{size:,} rows, ms" for size in SIZES), "x"), lines)


def _fill(session: Session, first: int, last: int) -> None:
    connection = session.connection()
    sqlite = connection.dialect.name == "sqlite"
    for statement in FILL:
        numbers = NUMBERS.format(first=first, last=last)
        connection.execute(text(statement.format(numbers=numbers, false="0" if sqlite else "false")))
    connection.execute(text("ANALYZE"))


async def _page_cost(store: Store, read: Read) -> float:
    """Seconds for a page, the median over pages from the newest on and begun anew at the end."""
    spent: list[float] = []
    page = PageRequest(LIMIT)
    for _ in range(PAGES):
        began = time.perf_counter()
        found = await store.read(lambda s, page=page: read(s, page))
        spent.append(time.perf_counter() - began)
        page = PageRequest.parse(str(LIMIT), found.next)
    return statistics.median(spent)
