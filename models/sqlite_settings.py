"""Settings of every SQLite connection."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Engine, event

BUSY_MS: Final = 4000  # milliseconds that SQLite waits for a lock; a REST call may wait twice as long


def configure_sqlite(engine: Engine) -> None:
    """Set up each new connection of an engine, and begin its transactions at once."""
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)


def _set_up(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # turns off sqlite3's implicit BEGIN, which comes late and never for DDL
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_MS}", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
