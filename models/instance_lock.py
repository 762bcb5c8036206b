"""Lock that allows one process per database. Two processes would each send every queued message.

The operating system or PostgreSQL releases the lock when the process ends, also after kill -9.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import URL, Connection, TextClause, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from models.db import parse, with_keepalives

log = logging.getLogger(__name__)
FORMER_HOLDER_SECONDS: Final = 30.0  # seconds until PostgreSQL notices that a former holder's machine is down
CHECK_SECONDS: Final = 5.0
# Without these, a server may keep the session of a machine that lost power for hours.
KEEPALIVE: Final = ("tcp_keepalives_idle = 10", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 2")
NAME: Final = "hashtext('wxbot'), hashtext(coalesce(current_schema(), ''))"
LOCK: Final = text(f"SELECT pg_try_advisory_lock({NAME})")
SHARED_LOCK: Final = text(f"SELECT pg_try_advisory_lock_shared({NAME})")  # of processes that share the database


class DatabaseInUse(Exception):
    """Another process holds the database; the message names it."""


class DatabaseLost(Exception):
    """The database can no longer be used; the message has the reason."""


class InstanceLock(Protocol):
    """A held lock."""

    def close(self) -> None:
        """Release the lock."""


async def acquire_instance_lock(
    url: str, on_lost: Callable[[], object], wait_seconds: float = FORMER_HOLDER_SECONDS, *, shared: bool = False
) -> InstanceLock:
    """Lock the database for this process, or (`shared`) for processes that share it; DatabaseInUse when another
    process holds it.

    `on_lost` is called on the event loop if another process took the lock while the server was unreachable.
    """
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite":
        return FileLock(Path(parsed.database or ""))
    lock = ServerLock(parsed, SHARED_LOCK if shared else LOCK)
    deadline, is_logged = time.monotonic() + wait_seconds, False
    while not await asyncio.to_thread(lock.take):
        if time.monotonic() > deadline:
            lock.close()
            raise DatabaseInUse(f"another wxbot runs on this database ({parsed.host or 'local'}/{parsed.database})")
        if not is_logged:
            is_logged = True
            log.warning("another wxbot uses the database; waiting %.0f s for it to exit", wait_seconds)
        await asyncio.sleep(0.5)
    lock.watch(asyncio.get_running_loop(), on_lost)
    return lock


class FileLock:
    """A lock on a file beside the database file.

    The database file itself is not locked: closing it would release SQLite's own POSIX locks.
    """

    def __init__(self, database: Path) -> None:
        database.parent.mkdir(parents=True, exist_ok=True)
        path = database.resolve()
        if path.exists() and path.stat().st_nlink > 1:
            raise DatabaseInUse(f"the database {database} has another name (a hard link), which must be removed")
        self._file = path.with_name(path.name + ".lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read(20).strip()
            self._file.close()
            raise DatabaseInUse(
                f"another wxbot (process {holder or 'unknown'}) runs on the database {database}"
            ) from None
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def close(self) -> None:
        """Release the lock. The file is kept, because another process may have it open already."""
        self._file.close()


class ServerLock:
    """An advisory lock of PostgreSQL, held by its own connection."""

    def __init__(self, url: URL, lock: TextClause = LOCK) -> None:
        self._lock = lock
        self._engine = create_engine(
            url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=with_keepalives(url)
        )
        self._connection: Connection | None = None
        self._ended = threading.Event()

    def take(self) -> bool:
        """Try to take the lock and tell whether this process has it."""
        if self._connection is None:
            self._connection = self._engine.connect()
            for setting in KEEPALIVE:
                self._connection.execute(text(f"SET {setting}"))
        return bool(self._connection.execute(self._lock).scalar())

    def watch(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[[], object]) -> None:
        """Take the lock again whenever the connection was lost, on a daemon thread that cannot delay the stop."""

        def run() -> None:
            while not self._ended.wait(CHECK_SECONDS):
                if not self._is_still_held():
                    log.error("another wxbot has taken the database while it was unavailable")
                    loop.call_soon_threadsafe(on_lost)
                    return

        threading.Thread(target=run, name="claim", daemon=True).start()

    def _is_still_held(self) -> bool:
        """Tell whether no other process holds the lock, reconnecting if necessary."""
        try:
            if self._connection is not None:
                self._connection.execute(text("SELECT 1"))
                return True
            return self.take()
        except SQLAlchemyError as error:
            log.warning("the database lock was lost and will be taken again: %s", type(error).__name__)
            self._drop()
            return True

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def close(self) -> None:
        """Release the lock."""
        self._ended.set()
        self._drop()
