"""Storage: `await store.write(fn)` and `await store.read(fn)`, where `fn` takes a SQLModel Session.

One thread executes all writes and commits the waiting ones together (SQLite: WAL and synchronous=FULL, so a returned
write survives a power failure). What `fn` reads cannot be changed by another write before its commit, on either
database. `fn` may run twice and must not touch anything but its session; use `after_commit` for what follows a commit.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import stamina
from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import QueuePool
from sqlmodel import Session, SQLModel

from models.commit_delay import CommitDelay
from models.database_file import DatabaseFile, FileLost
from models.durable import Setting
from models.fence import TransactionGuard, WriteRefused, session_name
from models.group_commit import AfterCommit, CommitOutcome, GroupCommit, WriteJob, failed
from models.latency import COMMIT, READ, database_seconds
from models.schema import bring_up_to_date
from models.sqlite_settings import configure_sqlite

log = logging.getLogger(__name__)
T = TypeVar("T")
MAX_PER_COMMIT: Final = 256
PING: Final = "ping"  # key of the row that `Store.ping` writes
RECHECK_INTERVAL: Final = 1.0  # seconds between queries about the result of a lost commit
READ_RETRY_SECONDS: Final = (
    3.0  # seconds for which a read that lost its connection is repeated, such as while PostgreSQL recovers
)
READ_ONLY: Final = "25006"  # PostgreSQL's SQLSTATE: a standby, or a primary that has become one
# Rows per INSERT with RETURNING. The driver keeps a prepared statement for every row count: SQLAlchemy's default of
# 1000 used 15 MB within a day.
ROWS_AT_ONCE: Final = 32


# Without these, a client waits two hours for a server that lost power. tcp_user_timeout is in milliseconds.
CONNECTION_DEFAULTS: Final = {
    "client_encoding": "utf8",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


def after_commit(session: Session, callback: AfterCommit) -> None:
    """Call `callback` on the event loop after the session's work is committed, before the caller of `write` resumes."""
    session.info["after_commit"].append(callback)


def parse(url: str) -> URL:
    """Parse a database URL and set the driver."""
    parsed = make_url(url)
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def with_keepalives(url: URL) -> dict[str, Any]:
    """Return the connection arguments for PostgreSQL; parameters in the URL take precedence."""
    return {name: value for name, value in CONNECTION_DEFAULTS.items() if name not in url.query}


class Store:
    """A database. `member`: the id of this process in a cluster, or ""."""

    def __init__(self, url: str, *, member: str = "") -> None:
        self.url = parse(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.file = DatabaseFile(Path(self.url.database) if self.is_sqlite and self.url.database else None)
        self._member = member
        self.is_shared = bool(member)
        self._engine = self._make_engine()
        self.seconds = database_seconds()
        self._commits = GroupCommit(self._engine)
        self.commit_delay = CommitDelay()
        self._readers = ThreadPoolExecutor(4 if self.is_sqlite else 10, "store-read")
        self._jobs: queue.SimpleQueue[WriteJob | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._takes_writes = True  # whether the last write succeeded

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, for event listeners."""
        return self._engine

    def _make_engine(self) -> Engine:
        options: dict[str, Any] = {
            "insertmanyvalues_page_size": ROWS_AT_ONCE,
            "hide_parameters": True,  # errors are logged and must not contain message texts
        }
        if not self.is_sqlite:
            arguments = with_keepalives(self.url)
            if self.is_shared:
                arguments["application_name"] = session_name(self._member)
            alive: dict[str, Any] = {"pool_pre_ping": True, "connect_args": arguments}
            engine = create_engine(self.url, pool_size=10, max_overflow=10, **alive, **options)
            event.listen(engine, "handle_error", leave_read_only_server)
            return engine
        if self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        connect = {"check_same_thread": False}
        engine = create_engine(self.url, poolclass=QueuePool, pool_size=6, connect_args=connect, **options)
        configure_sqlite(engine)
        return engine

    async def open(self) -> None:
        """Create or migrate the tables and start the writer thread."""
        self._loop = asyncio.get_running_loop()
        await self._loop.run_in_executor(self._readers, self._migrate)
        self.file.remember()
        self._thread = threading.Thread(target=self._write_forever, name="store-write", daemon=True)
        self._thread.start()

    def _migrate(self) -> None:
        with self._engine.begin() as connection:
            bring_up_to_date(connection)

    def guard(self, guard: TransactionGuard) -> None:
        """Set the guard of all further transactions."""
        self._commits.guard = guard

    async def close(self) -> None:
        """Finish the queued writes and disconnect. Later writes raise RuntimeError."""
        loop = asyncio.get_running_loop()
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            await loop.run_in_executor(None, thread.join)
        self._readers.shutdown(wait=True)
        self._engine.dispose()

    def insert(self, table: type[SQLModel]) -> sqlite.Insert | postgresql.Insert:
        """Return the dialect's INSERT, which supports ON CONFLICT."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def lock_until_commit(self, session: Session, name: str) -> None:
        """Lock a name among all processes until the transaction ends, for a read that is followed by a write."""
        if self.is_shared:
            session.connection().execute(text("SELECT pg_advisory_xact_lock(hashtext(:what))"), {"what": name})

    @property
    def is_open(self) -> bool:
        """Whether writes are accepted."""
        return self._thread is not None

    async def ping(self) -> None:
        """Check that the database answers. If the last write failed, such as on a full disk, also try a small write."""
        self.file.check()
        await self.read(lambda session: session.connection().execute(text("SELECT 1")).scalar())
        if not self._takes_writes:
            await self.write(lambda session: session.merge(Setting(key=PING, value=str(time.time()))))

    async def read(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` in a session of its own on the read pool and return its value.

        If PostgreSQL closes the connection, for example at its restart, `fn` runs again on another one.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._readers, self._read, fn)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            log.warning("the connection was lost during a read, which is repeated: %s", type(error.orig).__name__)
        # The waits are on the event loop: they block no other read.
        async for attempt in stamina.retry_context(on=is_away, attempts=None, timeout=READ_RETRY_SECONDS, wait_max=0.5):
            with attempt:
                return await loop.run_in_executor(self._readers, self._read, fn)
        raise AssertionError  # the context returns or raises

    def _read(self, fn: Callable[[Session], T]) -> T:
        with self.seconds.labels(READ).time(), Session(self._engine, expire_on_commit=False) as session:
            return fn(session)

    def write_soon(self, fn: Callable[[Session], T]) -> asyncio.Future[T]:
        """Queue a write. Writes are committed in the order in which they were queued."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        job = WriteJob(fn, future)
        if not self.is_open:
            raise RuntimeError("the database is not open")
        self._jobs.put(job)
        return future

    async def write(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` in a transaction and return its value after the commit; an exception rolls back."""
        # Cancelling the caller does not cancel the write: it may already share a commit with others.
        future = self.write_soon(fn)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(_log_failure)
            raise

    def write_in_background(self, fn: Callable[[Session], Any]) -> None:
        """Queue a write whose caller does not need its outcome; a failure is logged."""
        self.write_soon(fn).add_done_callback(_log_failure)

    # ---- the writer thread ----

    def _write_forever(self) -> None:
        is_running = True
        while is_running:
            batch, is_running = self._next_batch()
            if batch or self._commits.has_lost_commit:
                with self.seconds.labels(COMMIT).time():
                    outcomes = self._commit(batch)
                self._deliver(outcomes)
        self._deliver(self._commits.give_up())

    def _commit(self, batch: list[WriteJob]) -> list[CommitOutcome]:
        try:
            self.file.check()
        except FileLost as lost:
            return failed(batch, OperationalError(None, None, lost))
        return self._commits.commit(batch)

    def _next_batch(self) -> tuple[list[WriteJob], bool]:
        """Return the waiting writes and whether more may come. Empty when a lost commit must be queried."""
        batch: list[WriteJob] = []
        while len(batch) < MAX_PER_COMMIT:
            try:
                job = self._jobs.get(not batch, RECHECK_INTERVAL if self._commits.has_lost_commit else None)
            except queue.Empty:
                break
            if job is None:
                return batch, False
            if not batch and not self.is_sqlite and (delay := self.commit_delay.seconds()):
                time.sleep(delay)
            batch.append(job)
        return batch, True

    def _deliver(self, outcomes: list[CommitOutcome]) -> None:
        if outcomes:
            self._takes_writes = not any(outcome.error is not None and is_away(outcome.error) for outcome in outcomes)
        if outcomes and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, outcomes)


def leave_read_only_server(context: ExceptionContext) -> None:
    """Treat a server that only reads, such as a standby that is being promoted, as a lost connection."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def is_away(error: BaseException) -> bool:
    """Tell whether the database itself failed (unreachable, locked, full, damaged) rather than the statement."""
    if not isinstance(error, DBAPIError):
        return False
    # sqlite3 raises a plain DatabaseError for a damaged file.
    return error.connection_invalidated or type(error) in (OperationalError, InterfaceError, DatabaseError)


def _log_failure(write: asyncio.Future[Any]) -> None:
    """Log the failure of a write for whose outcome nobody waits."""
    error = None if write.cancelled() else write.exception()
    if error is not None:
        is_expected = is_away(error) or isinstance(error, WriteRefused)
        log.error("a write in the background failed: %s", type(error).__name__, exc_info=None if is_expected else error)


def _settle(outcomes: list[CommitOutcome]) -> None:
    for outcome in outcomes:
        for callback in outcome.callbacks:
            try:
                callback()
            except Exception:  # the write is committed: its caller and the others must still get their results
                log.exception("a callback after a commit failed")
        if outcome.job.future.cancelled():
            continue
        if outcome.error is not None:
            outcome.job.future.set_exception(outcome.error)
        else:
            outcome.job.future.set_result(outcome.value)
