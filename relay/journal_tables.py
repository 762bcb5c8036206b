"""The tables of a journal."""

from __future__ import annotations

import sqlite3
from enum import StrEnum
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

    TAKEN = "taken"
    EPOCH = "epoch"
    LAST = "last"
    TLS_SEEN = "tls_seen"
    HELD = "held"
    CLOCK = "clock"


def set_fact(connection: sqlite3.Connection, fact: Fact, value: float | str) -> None:
    """Write a value."""
    connection.execute("insert or replace into fact values (?, ?)", (fact.value, str(value)))
