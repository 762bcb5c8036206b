"""One commit for many writes; a write that fails takes none of its neighbours down, and none is done twice."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DataError, DBAPIError
from sqlmodel import Session

from models.bulk_insert import KEY as BULK
from models.bulk_insert import BulkInsert
from models.fence import Fenced, TransactionGuard

log = logging.getLogger(__name__)
AfterCommit = Callable[[], object]
ATTEMPTS: Final = 3
DEADLOCK: Final = "40P01"  # PostgreSQL's code; with another process, such as tools.privacy
# https://www.postgresql.org/docs/current/functions-info.html, "Deprecated Transaction ID": of every version since 10
MARK: Final = text("SELECT txid_current()")
STATUS: Final = text("SELECT txid_status(:mark)")
END: Final = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_xid::text = :xid")


class WriteJob(NamedTuple):
    """A write that waits, and who waits for it."""

    fn: Callable[[Session], Any]
    future: asyncio.Future[Any]


class Outcome(NamedTuple):
    """What became of a write."""

    job: WriteJob
    value: Any
    error: BaseException | None
    then: Sequence[AfterCommit]


class _Unsure(NamedTuple):
    """A commit whose answer was lost with the connection: it is done or it is not, and PostgreSQL knows."""

    mark: int
    outcomes: list[Outcome]
    error: DBAPIError


class GroupCommit:
    """Commits what the writer brings, on one thread. `guard`: of a process that is one of several."""

    def __init__(self, engine: Engine, guard: TransactionGuard | None = None) -> None:
        self._engine = engine
        self.guard = guard
        self._unsure: _Unsure | None = None

    @property
    def are_unsure(self) -> bool:
        """Whether there is a commit of which is not known yet whether it was done."""
        return self._unsure is not None

    def commit(self, batch: list[WriteJob]) -> list[Outcome]:
        """Do the jobs. Those of an unsure commit have their outcome later, of another call, and before these."""
        try:
            connection = self._engine.connect()
        except Exception as error:  # noqa: BLE001 - the database cannot be reached: the callers get it
            return _failed(batch, error)
        with connection:
            try:
                before = self._find_out(connection)
            except DBAPIError as error:  # away again
                return _failed(batch, error)
            if self._unsure is not None:  # done again, and lost again
                return before + _failed(batch, self._unsure.error)
            return before + self._together(connection, batch)

    def give_up(self) -> list[Outcome]:
        """Ask no more: whoever waits for an unsure commit gets the error."""
        unsure, self._unsure = self._unsure, None
        return _failed([outcome.job for outcome in unsure.outcomes], unsure.error) if unsure else []

    def _together(self, connection: Connection, batch: Sequence[WriteJob]) -> list[Outcome]:
        """One commit for all; when a job fails, all are done again, one by one."""
        if not batch:
            return []
        try:
            return self._transact(connection, batch)
        except Fenced as error:  # none of them may be written
            return _failed(batch, error)
        except Exception:  # noqa: BLE001 - whose it is shows when each runs alone
            outcomes = []
            for number, job in enumerate(batch, 1):
                outcomes += self._alone(connection, job)
                if self._unsure is not None:  # nothing overtakes it
                    return outcomes + _failed(batch[number:], self._unsure.error)
            return outcomes

    def _alone(self, connection: Connection, job: WriteJob) -> list[Outcome]:
        attempt = 1
        while True:
            try:
                return self._transact(connection, (job,))
            except Exception as error:  # noqa: BLE001 - it belongs to the caller, who gets it
                if attempt == ATTEMPTS or getattr(getattr(error, "orig", None), "sqlstate", None) != DEADLOCK:
                    return _failed((job,), error)
            attempt += 1

    def _transact(self, connection: Connection, jobs: Sequence[WriteJob]) -> list[Outcome]:
        """The jobs' outcomes; none yet when the connection was lost while it committed."""
        outcomes, mark = [], None
        try:
            with connection.begin():
                if self.guard is not None:
                    self.guard.begin(connection)
                outcomes = _run(connection, jobs, self.guard)
                if connection.dialect.name == "postgresql":
                    mark = connection.execute(MARK).scalar_one()
        except DBAPIError as error:
            if mark is None or not error.connection_invalidated:
                raise
            log.warning("the connection was lost during a commit; the database will be asked whether it was done")
            self._unsure = _Unsure(mark, outcomes, error)
            return []
        return outcomes

    def _find_out(self, connection: Connection) -> list[Outcome]:
        """The outcomes of an unsure commit, which is done again if it was not done."""
        if self._unsure is None:
            return []
        done = _was_done(connection, self._unsure.mark)
        unsure, self._unsure = self._unsure, None
        return unsure.outcomes if done else self._together(connection, [outcome.job for outcome in unsure.outcomes])


def _was_done(connection: Connection, mark: int) -> bool:
    """Whether a transaction was committed. One whose client went away unnoticed would stay open for long: it is
    ended."""
    while True:
        try:
            with connection.begin():
                status = connection.execute(STATUS, {"mark": mark}).scalar()
                if status != "in progress":
                    return bool(status == "committed")
                connection.execute(END, {"xid": str(mark % 2**32)})
        except DataError:  # "in the future": the server was set back to before it
            return False
        time.sleep(0.05)  # PostgreSQL tells nobody when it is gone


def _run(connection: Connection, jobs: Sequence[WriteJob], guard: TransactionGuard | None) -> list[Outcome]:
    """Do the jobs in one transaction, one after the other on one session; none finds another's objects there."""
    outcomes, bulk = [], BulkInsert()
    info: dict[str, Any] = {BULK: bulk}
    with Session(connection, info=info, expire_on_commit=False, join_transaction_mode="rollback_only") as session:
        if guard is not None:
            event.listen(session, "after_flush", lambda flushed, _context: guard.flushed(flushed))
        for job in jobs:
            then = session.info["after_commit"] = []
            value = job.fn(session)
            session.flush()
            session.expunge_all()
            outcomes.append(Outcome(job, value, None, then))
        bulk.write(connection)
        session.commit()  # the transaction itself is the connection's
    return outcomes


def _failed(jobs: Sequence[WriteJob], error: BaseException) -> list[Outcome]:
    return [Outcome(job, None, error, ()) for job in jobs]
