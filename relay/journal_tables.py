"""The tables of a journal."""

from __future__ import annotations

import sqlite3
import time
from enum import StrEnum
from pathlib import Path
from typing import Final

TABLES: Final = """
create table if not exists fact (key text primary key, value text not null) without rowid;
create table if not exists event (number integer primary key, at real not null, body blob not null);
create table if not exists reply (
    path text not null, request blob not null, number integer not null, messages blob not null,
    primary key (path, request)
) without rowid;
create index if not exists reply_number on reply (number);
"""


class Fact(StrEnum):
    """Values that the journal stores besides events."""

    ACKNOWLEDGED = "taken"
    EPOCH = "epoch"
    LAST = "last"
    TLS_SEEN = "tls_seen"
    HELD = "held"
    CLOCK = "clock"


def set_fact(connection: sqlite3.Connection, fact: Fact, value: float | str) -> None:
    """Write a value."""
    connection.execute("insert or replace into fact values (?, ?)", (fact.value, str(value)))


def connect(path: Path) -> sqlite3.Connection:
    """Open the file; raise sqlite3.Error."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    # WAL mode writes the first page, after which auto_vacuum has no effect
    for pragma in ("auto_vacuum=INCREMENTAL", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"pragma {pragma}")
    return connection


def time_to_count_from(connection: sqlite3.Connection, stored: str | None) -> float:
    """Return the time that the journal's clock had last. `stored`: the fact CLOCK."""
    if stored is not None:
        newest = connection.execute("select at from event order by number desc limit 1").fetchone() or (0.0,)
        return max(float(stored), *newest)
    # Earlier versions stored the machine's time with the events; that clock may have been set since then.
    now = time.time()
    connection.execute("update event set at = ?", (now,))
    set_fact(connection, Fact.CLOCK, now)
    return now
