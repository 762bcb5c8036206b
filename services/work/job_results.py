"""Records the results of jobs, in batches, and notifies listeners in the same transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlmodel import Session

from models.db import Store, after_commit
from models.durable import OutboxItem, Priority, WorkState
from services.clock import Clock
from services.work.delivery_results import DeliveryResults
from services.work.job import Cancelled, GiveUp, Job, Result, Retry
from services.work.outbox_rows import END, job_of, joined_items, open_items
from services.work.write_batcher import WriteBatcher

log = logging.getLogger(__name__)
FailureListener = Callable[[Session, Job, GiveUp], None]
SuccessListener = Callable[[Session, Job], None]


class _End(NamedTuple):
    job: Job
    result: Result
    values: dict[str, Any]


class JobResults:
    """Results of jobs. `ended` is called with the id of each job that is not retried, after the commit."""

    def __init__(self, store: Store, clock: Clock, ended: Callable[[int], None]) -> None:
        self._clock = clock
        self._ended = ended
        self.counts = DeliveryResults()
        self._end_batcher = WriteBatcher[_End](store, self._write)
        self._on_failed: list[FailureListener] = []
        self._on_sent: list[SuccessListener] = []

    def on_failed(self, listener: FailureListener) -> None:
        """Register a listener for jobs that failed finally."""
        self._on_failed.append(listener)

    def on_sent(self, listener: SuccessListener) -> None:
        """Register a listener for jobs that were done."""
        self._on_sent.append(listener)

    async def drain(self, grace: float) -> None:
        """Wait until pending results are written, at most `grace` seconds."""
        await self._end_batcher.drain(grace)

    async def write_now(self) -> None:
        """Write pending results at once; raise what the database raises."""
        await self._end_batcher.write_now()

    def record(self, job: Job, result: Result) -> None:
        """Record the result of an attempt."""
        self.counts.count(job, result, self._clock())
        end: dict[str, Any] = {
            "item": job.id,
            "to": WorkState.SENT,
            "what": "",
            "why": "",
            "tries": job.attempts,
            "again_at": job.run_at,
            "retried": isinstance(result, Retry),
        }
        end["now"] = end["ended"] = self._clock()
        if isinstance(result, Retry):
            # An attempt that does not count must not leave run_at behind: after a restart the job would be taken for a
            # scheduled one.
            end |= {"to": WorkState.QUEUED, "why": result.why, "ended": None}
            end["again_at"] = job.run_at if result.counts else 0.0
        else:
            if isinstance(result, GiveUp):
                end |= {"to": WorkState.UNKNOWN if result.unknown else WorkState.FAILED, "why": result.why}
                log.warning("giving up on job %s of queue %s: %s", job.id, job.queue, result.why)
            elif isinstance(result, Cancelled):
                end["to"] = WorkState.CANCELLED
            else:
                end["what"] = result
            job.state = end["to"]  # valid until the row is written
        self._end_batcher.put(_End(job, result, end))

    def settle(
        self, session: Session, accounts: Collection[str] | None, known: Collection[int] = ()
    ) -> Sequence[OutboxItem]:
        """Settle the open jobs of an earlier process, of some accounts or of all; return those to deliver.

        Deliveries interrupted by a crash are repeated, except broadcasts, which end as unknown. `known`: jobs of this
        process, which are left alone.
        """
        items = [item for item in open_items(session, accounts) if item.id not in known]
        interrupted = [i for i in items if i.state == WorkState.SENDING and i.priority == Priority.BROADCAST]
        failure = GiveUp("interrupted while sending", unknown=True)
        for item in interrupted:
            item.sqlmodel_update({"state": WorkState.UNKNOWN, "error": failure.why, "done_at": self._clock()})
            for listener in self._on_failed:  # listeners may add jobs in this transaction, which are not among `items`
                listener(session, job_of(item), failure)
        for item in items:
            if item.state == WorkState.SENDING:
                item.state = WorkState.QUEUED
        return [item for item in items if item.state == WorkState.QUEUED]

    def fail_sent(self, session: Session, number: int, queue: str, reason: str) -> bool:
        """Mark a sent message as failed after all, inside a transaction; return False if it is not in state sent."""
        item = session.get(OutboxItem, number)
        if item is None or item.queue != queue or item.state != WorkState.SENT:
            return False
        for row in (item, *joined_items(session, job_of(item))):
            row.sqlmodel_update({"state": WorkState.FAILED, "error": reason})
            session.add(row)
            session.flush()
            for listener in self._on_failed:
                listener(session, job_of(row), GiveUp(reason))
        return True

    def _write(self, session: Session, ends: list[_End]) -> None:
        ends = [ended for end in ends for ended in (end, *_ends_of_joined(session, end))]
        END.execute(session.connection(), [end.values for end in ends])
        for end in ends:
            if not isinstance(end.result, Retry):
                after_commit(session, partial(self._ended, end.job.id))
            if isinstance(end.result, GiveUp):
                for on_failed in self._on_failed:
                    on_failed(session, end.job, end.result)
            elif isinstance(end.result, str):
                for on_sent in self._on_sent:
                    on_sent(session, end.job)


def _ends_of_joined(session: Session, end: _End) -> list[_End]:
    """Return the ends of the jobs that were sent together with this one."""
    if isinstance(end.result, Retry):
        return []
    return [_End(job_of(item), end.result, {**end.values, "item": item.id}) for item in joined_items(session, end.job)]
