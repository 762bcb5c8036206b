"""What the console's charts cost at 10 million messages, 1.5 million daily counts and a million tickets:
`python -m benchmarks charts`.

SQLite, and PostgreSQL where WXBOT_BENCH_POSTGRES names an empty database.
"""

from __future__ import annotations

import statistics
import time
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import create_engine, make_url, text
from sqlmodel import Session

from benchmarks.tables import on_each_database, table
from models.db import Store
from services.accounts.registry import Accounts
from services.upkeep.daily_totals import DailyTotals

ZONE: Final = ZoneInfo("Asia/Shanghai")
DAYS: Final = 150
GROUPS: Final = 10_000
MESSAGES: Final = 10_000_000
TICKETS: Final = 1_000_000
READS: Final = 50
NUMBERS: Final = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
# Rows are made by the database itself, in the order of their times.
FILL: Final = (
    (GROUPS, """INSERT INTO qun (number, code, account, owner, owner_id, companion_id, topic, token, public_id, state,
    wants_report, created_at) {numbers} SELECT i, 'c' || i, 'a', 'o', 'w', 'x', 'topic', 't' || i, 'p' || i, 'active',
    {false}, 0 FROM n"""),
    (GROUPS * DAYS, """INSERT INTO dailycount (number, day, joins, leaves, messages) {numbers}
    SELECT i % {groups}, {day}, 1, 1, 7 FROM n"""),
    (TICKETS, """INSERT INTO ticket (account, contact_id, name, state, room_id, staff_id, staff_name, told, called_by,
    called_at, opened_at, last_at, closed_by, announced_at, answered_at, reminders, reminded_at, quiet_seconds,
    refusals, not_before) {numbers} SELECT 'a', 'w' || i, 'n', 'closed', '', '', '', 0, '', 0,
    {at}, 0, '', 0, {at} + 60, 0, 0, 0, 0, 0 FROM n"""),
    (MESSAGES, """INSERT INTO outboxitem (queue, "key", priority, body, state, attempts, error, result, fingerprint,
    run_at, created_at, done_at) {numbers} SELECT 'wx:a', 'k', 'a-reply', '{{}}', 'sent', 0, '', '', '', 0, 0,
    {at} FROM n"""),
)  # fmt: skip


async def run() -> str:
    """A table for each database."""
    return await on_each_database(_measure)


async def _measure(name: str, url: str) -> str:
    store = Store(url)
    await store.open()
    try:
        now = datetime.now(ZONE).replace(hour=12)
        await store.write(lambda s: _fill(s, now.timestamp(), sqlite=store.is_sqlite))
        if not store.is_sqlite:
            _vacuum(url)
        totals = DailyTotals(store, Accounts({}, [], ()), ZONE, now.timestamp)
        started = time.perf_counter()
        await totals.roll_up()
        first = time.perf_counter() - started
        started = time.perf_counter()
        await totals.roll_up()
        again = time.perf_counter() - started
        took = []
        for _ in range(READS):
            started = time.perf_counter()
            assert (await store.read(totals.read))[-1].messages == GROUPS * 7
            took.append((time.perf_counter() - started) * 1000)
        rows = [
            ["the charts' numbers, median", f"{statistics.median(took):.1f} ms"],
            ["the charts' numbers, slowest", f"{max(took):.1f} ms"],
            ["rolling up 30 days, once", f"{first:.1f} s"],
            ["rolling up the latest days", f"{again:.2f} s"],
        ]
        return table(f"charts, {MESSAGES:,} messages, {name}", ["what", "took"], rows)
    finally:
        await store.close()


def _vacuum(url: str) -> None:
    """What PostgreSQL does by itself some time after so many rows were written."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _fill(session: Session, now: float, *, sqlite: bool) -> None:
    noon = f"{now} - ({DAYS} - 1 - i / {GROUPS}) * 86400"
    day = f"date({noon}, 'unixepoch', '+8 hours')"
    if not sqlite:
        day = f"to_char(to_timestamp({noon}) AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD')"
    at = f"{now} - ({{last}} - i) * 1.0 / {{last}} * {DAYS} * 86400.0"
    values = {"groups": GROUPS, "false": "0" if sqlite else "false"}
    for count, statement in FILL:
        numbers = NUMBERS.format(last=count - 1)
        filled = statement.format(numbers=numbers, day=day, at=at.format(last=count), **values)
        session.connection().execute(text(filled))
