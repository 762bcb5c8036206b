"""Deletes from a journal what is no longer needed, in pieces: other writes do not wait, and little disk is needed."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Final

EVENTS: Final = 500  # events and responses in one piece
PAGES: Final = 100  # pages that are returned to the file system with it
# Reads only up to the first event that is kept.
_LAST_EXPIRED: Final = "select coalesce((select min(number) - 1 from event where at >= ?), max(number), 0) from event"
_EVENTS: Final = (
    "delete from event where number in (select number from event where number <= ? order by number limit ?)"
)
_REPLIES: Final = "select path, request from reply where number <= ? order by number limit ?"


@dataclass(slots=True)
class Pruning:
    """What to delete: events up to `taken`, responses of events up to `settled`, and what is older than `before`."""

    acknowledged: int
    settled: int
    before: float  # by the journal's clock
    deleted: list[tuple[str, bytes]] = field(default_factory=list)  # the responses of the last piece: path, request
    has_deleted: bool = False  # the last piece
    is_done: bool = False

    def delete_piece(self, connection: sqlite3.Connection) -> None:
        """Delete some events and responses within a transaction, and free some pages."""
        (expired,) = connection.execute(_LAST_EXPIRED, (self.before,)).fetchone()
        events = connection.execute(_EVENTS, (max(self.acknowledged, expired), EVENTS)).rowcount
        self.settled = max(self.settled, expired)
        self.deleted = connection.execute(_REPLIES, (self.settled, EVENTS)).fetchall()
        connection.executemany("delete from reply where path = ? and request = ?", self.deleted)
        (free_pages,) = connection.execute("pragma freelist_count").fetchone()
        for _ in range(min(free_pages, PAGES)):  # sqlite3 stops after the first page, whatever the number
            connection.execute("pragma incremental_vacuum(1)")
        self.has_deleted = bool(events or self.deleted or free_pages)
        self.is_done = max(events, len(self.deleted)) < EVENTS and free_pages <= PAGES
