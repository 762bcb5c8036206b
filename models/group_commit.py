"""Group commit: many writes share one transaction. A failed write does not affect the others; none runs twice."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DataError, DBAPIError
from sqlmodel import Session

from models.bulk_insert import KEY as BULK
from models.bulk_insert import BulkInsert
from models.fence import Fenced, TransactionGuard, accounts_of

log = logging.getLogger(__name__)
AfterCommit = Callable[[], object]
ATTEMPTS: Final = 3
DEADLOCK: Final = "40P01"  # PostgreSQL's SQLSTATE; the other party is another process, such as tools.privacy
# Available since PostgreSQL 10; see "Deprecated Transaction ID" in
# https://www.postgresql.org/docs/current/functions-info.html
TRANSACTION_ID: Final = text("SELECT txid_current()")
STATUS: Final = text("SELECT txid_status(:transaction_id)")
END: Final = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_xid::text = :xid")


class WriteJob(NamedTuple):
    """A queued write and the future of its caller."""

    fn: Callable[[Session], Any]
    future: asyncio.Future[Any]


class CommitOutcome(NamedTuple):
    """The result of a write."""

    job: WriteJob
    value: Any
    error: BaseException | None
    callbacks: Sequence[AfterCommit]


class _LostCommit(NamedTuple):
    """A commit whose result was lost with the connection; PostgreSQL is asked whether it was executed."""

    transaction_id: int
    outcomes: list[CommitOutcome]
    error: DBAPIError


class GroupCommit:
    """Commits the writer's batches on one thread. `guard`: hooks of a cluster member."""

    def __init__(self, engine: Engine, guard: TransactionGuard | None = None) -> None:
        self._engine = engine
        self.guard = guard
        self._lost_commit: _LostCommit | None = None

    @property
    def has_lost_commit(self) -> bool:
        """Whether there is a commit whose result is not known yet."""
        return self._lost_commit is not None

    def commit(self, batch: list[WriteJob]) -> list[CommitOutcome]:
        """Execute the jobs and return their outcomes.

        The outcomes of a lost commit are returned by a later call, before those of its own batch.
        """
        try:
            connection = self._engine.connect()
        except Exception as error:  # noqa: BLE001 - the database cannot be reached: the callers get the error
            return failed(batch, error)
        with connection:
            try:
                earlier = self._resolve_lost_commit(connection)
            except DBAPIError as error:  # the connection was lost again
                return failed(batch, error)
            if self._lost_commit is not None:  # executed again, and its result was lost again
                return earlier + failed(batch, self._lost_commit.error)
            return earlier + self._execute_batch(connection, batch)

    def give_up(self) -> list[CommitOutcome]:
        """Fail the jobs of a lost commit without asking the database again."""
        lost, self._lost_commit = self._lost_commit, None
        return failed([outcome.job for outcome in lost.outcomes], lost.error) if lost else []

    def _execute_batch(self, connection: Connection, batch: Sequence[WriteJob]) -> list[CommitOutcome]:
        """Execute the jobs in one transaction; if one fails, execute each in its own."""
        if not batch:
            return []
        try:
            return self._transact(connection, batch)
        except Fenced as error:  # this process may not write any of the jobs
            return failed(batch, error)
        except Exception as error:  # noqa: BLE001 - running each alone shows which job failed
            if _is_locked(error):  # executed separately, each job would wait for the whole busy timeout again
                return failed(batch, error)
            return self._execute_separately(connection, batch)

    def _execute_separately(self, connection: Connection, batch: Sequence[WriteJob]) -> list[CommitOutcome]:
        outcomes: list[CommitOutcome] = []
        for number, job in enumerate(batch):
            try:
                connection.connection  # noqa: B018 - opens a lost connection again
            except DBAPIError as error:  # each further job would wait for the same timeout again
                return outcomes + failed(batch[number:], error)
            outcomes += self._commit_alone(connection, job)
            if self._lost_commit is not None:  # later jobs must not overtake it
                return outcomes + failed(batch[number + 1 :], self._lost_commit.error)
        return outcomes

    def _commit_alone(self, connection: Connection, job: WriteJob) -> list[CommitOutcome]:
        attempt = 1
        while True:
            try:
                return self._transact(connection, (job,))
            except Exception as error:  # noqa: BLE001 - passed to the job's caller
                if attempt == ATTEMPTS or getattr(getattr(error, "orig", None), "sqlstate", None) != DEADLOCK:
                    return failed((job,), error)
            attempt += 1

    def _transact(self, connection: Connection, jobs: Sequence[WriteJob]) -> list[CommitOutcome]:
        """Execute the jobs in one transaction. Return no outcomes if the connection was lost during the commit."""
        outcomes: list[CommitOutcome] = []
        transaction_id = None
        try:
            with connection.begin():
                if self.guard is not None:
                    self.guard.begin(connection)
                outcomes, accounts = _run(connection, jobs, self.guard)
                if self.guard is not None:
                    transaction_id = self.guard.end(connection, accounts)
                elif connection.dialect.name == "postgresql":
                    transaction_id = connection.execute(TRANSACTION_ID).scalar_one()
        except DBAPIError as error:
            if transaction_id is None or not error.connection_invalidated:
                raise
            log.warning("the connection was lost during a commit; its outcome will be looked up")
            self._lost_commit = _LostCommit(transaction_id, outcomes, error)
            return []
        return outcomes

    def _resolve_lost_commit(self, connection: Connection) -> list[CommitOutcome]:
        """Return the outcomes of the lost commit; execute it again if it was not committed."""
        if self._lost_commit is None:
            return []
        done = _was_done(connection, self._lost_commit.transaction_id)
        lost, self._lost_commit = self._lost_commit, None
        return lost.outcomes if done else self._execute_batch(connection, [outcome.job for outcome in lost.outcomes])


def _was_done(connection: Connection, transaction_id: int) -> bool:
    """Tell whether a transaction was committed.

    If it is still in progress, its backend is terminated: PostgreSQL may take long to notice that the client has
    disconnected.
    """
    while True:
        try:
            with connection.begin():
                status = connection.execute(STATUS, {"transaction_id": transaction_id}).scalar()
                if status != "in progress":
                    return bool(status == "committed")
                connection.execute(END, {"xid": str(transaction_id % 2**32)})
        except DataError:  # "in the future": the server was restored to a time before it
            return False
        time.sleep(0.05)  # PostgreSQL has no notification for the end of a backend


def _run(
    connection: Connection, jobs: Sequence[WriteJob], guard: TransactionGuard | None
) -> tuple[list[CommitOutcome], Collection[str]]:
    """Run the jobs in one transaction, each with an empty identity map; return the accounts that must be held, too."""
    outcomes, bulk = [], BulkInsert()
    info: dict[str, Any] = {BULK: bulk}
    with Session(connection, info=info, expire_on_commit=False, join_transaction_mode="rollback_only") as session:
        if guard is not None:
            event.listen(session, "after_flush", lambda flushed, _context: guard.flushed(flushed))
        for job in jobs:
            callbacks = session.info["after_commit"] = []
            value = job.fn(session)
            session.flush()
            session.expunge_all()
            outcomes.append(CommitOutcome(job, value, None, callbacks))
        bulk.write(connection)
        session.commit()  # the transaction belongs to the connection, which commits it
        return outcomes, accounts_of(session)


def failed(jobs: Sequence[WriteJob], error: BaseException) -> list[CommitOutcome]:
    """Return the outcome of jobs that all failed with one error."""
    return [CommitOutcome(job, None, error, ()) for job in jobs]


def _is_locked(error: Exception) -> bool:
    """Tell whether another program held SQLite's lock for the whole busy timeout."""
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
