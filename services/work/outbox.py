"""The outbox: jobs are rows inserted in the transaction that causes them, and are executed after its commit.

After a crash during a delivery its result is unknown. Replies and notices are then sent again (a duplicate is better
than a lost message); a broadcast is marked `sending` before the call and is not repeated.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from sqlmodel import Session

from models.bulk_insert import in_bulk
from models.db import Store, after_commit
from models.durable import OutboxItem, Priority, WorkState
from services.clock import Clock
from services.work.delivery_queue import DeliveryQueue
from services.work.job import Deliver, Job
from services.work.job_results import JobResults
from services.work.open_jobs import OpenJobs
from services.work.outbox_rows import INSERT, cancel_items, job_of, mark_sending, open_items, replace_body
from services.work.ownership import Ownership
from services.work.pace import Pace

log = logging.getLogger(__name__)
BATCH: Final = 500  # ids in one statement


class Outbox:
    """All queues of jobs."""

    def __init__(self, store: Store, clock: Clock, ownership: Ownership | None = None) -> None:
        self._store = store
        self._clock = clock
        self._ownership = ownership or Ownership()
        self.results = JobResults(store, clock, self._ended)
        self._queues: dict[str, DeliveryQueue] = {}
        self._openers: dict[str, Callable[[str], DeliveryQueue]] = {}
        self._account_prefixes: set[str] = set()  # prefixes of the queues that are named by their account
        self._open = OpenJobs()
        self._loaded: set[str] = set()  # accounts that were loaded by name
        self._started = False

    # ---- setup ----

    def serve(
        self,
        prefix: str,
        deliver: Deliver,
        *,
        pace: Callable[[str], Pace | None] = lambda _name: None,
        concurrency: int = 16,
        is_open: Callable[[str], bool] = lambda _name: True,
        shared: bool = False,
    ) -> None:
        """Set the delivery function of the queues named `prefix:…`; each name has its own queue.

        `shared`: the name is not that of an account, and the queue has jobs of several accounts.
        """

        def open_queue(name: str) -> DeliveryQueue:
            suffix = name.partition(":")[2]
            return DeliveryQueue(
                name,
                deliver,
                self.results.record,
                pace=pace(suffix),
                concurrency=concurrency,
                clock=self._clock,
                is_open=lambda: is_open(suffix),
            )

        self._openers[prefix] = open_queue
        if not shared:
            self._account_prefixes.add(prefix)

    async def load(self, accounts: Collection[str] | None = None) -> None:
        """Load the open jobs of an earlier process, of some accounts or of all; before new ones, to keep the order."""
        self._loaded.update(accounts or ())  # before the read: a later refresh is written after it
        known_ids = {job.id for account in accounts or () for job in self._open.of(account)}
        await self._store.write(lambda s: self._take_after_commit(s, self.results.settle(s, accounts, known_ids)))

    async def refresh(self, account: str) -> None:
        """Load the jobs that other processes added for an account of this process, and drop those they cancelled.

        Nothing happens before `load`, which settles what an earlier process was sending.
        """
        if account not in self._loaded:
            return
        before = [job.id for job in self._open.of(account)]
        # Read by the writer: an open row that is unknown here was not ended by this process.
        await self._store.write(lambda s: self._take_after_commit(s, open_items(s, [account]), before))

    def _take_after_commit(self, session: Session, items: Sequence[OutboxItem], before: Sequence[int] = ()) -> None:
        """Take over rows that were read, and forget the jobs of `before` that are not among them.

        It does not await: a delivery that ended in a later write would be repeated.
        """

        def take() -> None:
            self._take_all(items)
            still_open = {item.id for item in items}
            self._forget([id for id in before if id not in still_open])

        after_commit(session, take)

    def _take_all(self, items: Sequence[OutboxItem]) -> None:
        for item in items:
            try:
                self._take(job_of(item))
            except LookupError:  # the job's account or receiver is no longer configured
                log.warning("job %s is waiting: queue %s has no worker", item.id, item.queue)

    async def drop(self, account: str, grace: float) -> None:
        """Drop the jobs of an account, which another process takes over; running ones get `grace` seconds to finish."""
        self._loaded.discard(account)
        for job in self._open.of(account):
            job.dropped = True
        own_queues = {f"{prefix}:{account}" for prefix in self._account_prefixes if account} & self._queues.keys()
        shared_queues = {job.queue for job in self._open.of(account)} & self._queues.keys() - own_queues
        stops = (self._queues[name].stop(grace) for name in own_queues)
        await asyncio.gather(*stops, *(self._queues[name].discard(account, grace) for name in shared_queues))
        for name in own_queues:  # not before: deliveries that finish look at their queue
            self._queues.pop(name, None)
        await self.results.drain(max(grace, 0.1))
        self._open.drop(account)

    async def start(self) -> None:
        """Start delivering."""
        self._started = True
        for queue in self._queues.values():
            queue.start()

    async def stop(self, grace: float) -> None:
        """Give running deliveries `grace` seconds to finish; the other jobs stay in the database."""
        self._started = False
        await asyncio.gather(*(queue.stop(grace) for queue in self._queues.values()))
        await self.results.drain(grace)

    # ---- adding ----

    def add(
        self,
        session: Session,
        queue: str,
        key: str,
        body: dict[str, Any],
        *,
        priority: str = Priority.REPLY,
        run_at: float = 0,
        idempotency_key: str | None = None,
        fingerprint: str = "",
        account: str | None = None,
    ) -> Job:
        """Add a job inside a transaction; it starts, and gets its id, after the commit.

        `account`: the account it belongs to, if the name of the queue does not tell.
        """
        now = self._clock()
        account = queue.partition(":")[2] if account is None else account
        values = {
            "queue": queue, "account": account, "key": key, "priority": priority,
            "body": json.dumps(body, ensure_ascii=False),
            "state": WorkState.QUEUED, "attempts": 0, "error": "", "result": "",
            "idempotency_key": idempotency_key, "fingerprint": fingerprint, "run_at": run_at, "created_at": now,
        }  # fmt: skip
        job = Job(0, queue, key, body, priority, run_at, now, account=account)
        in_bulk(session, INSERT, values, job.has_id)
        self._ownership.notify_holder(session, account)
        after_commit(session, lambda: self._take(job))
        return job

    def requeue(self, session: Session, item: OutboxItem) -> None:
        """Queue a failed job again, inside a transaction, with all its attempts."""
        item.sqlmodel_update({"state": WorkState.QUEUED, "attempts": 0, "error": "", "run_at": 0.0, "done_at": None})
        item.created_at = self._clock()  # the age limit of retries starts again
        session.add(item)
        job = job_of(item)
        self._ownership.notify_holder(session, job.account)
        after_commit(session, lambda: self._take(job))

    def cancel(self, session: Session, ids: Sequence[int], accounts: Collection[str]) -> int:
        """Cancel those of these jobs that have not been attempted, inside a transaction; return how many.

        `accounts`: whose jobs they are. A job that is running is not interrupted, but not retried either.
        """
        batches = (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
        cancelled = [id for batch in batches for id in cancel_items(session, batch, self._clock())]
        for account in accounts:
            self._ownership.notify_holder(session, account)  # the holder reloads its jobs
        after_commit(session, lambda: self._forget(cancelled))
        return len(cancelled)

    def _forget(self, ids: Sequence[int]) -> None:
        """Drop cancelled jobs from memory, except running ones, which read their state."""
        names = set[str]()
        for id in ids:
            job = self._open.get(id)
            if job is not None and job.state == WorkState.QUEUED:
                job.dropped = True
                names.add(job.queue)
                self._open.remove(id)
        for name in names:
            self._queues[name].forget_dropped()

    def _ended(self, job_id: int) -> None:
        self._open.remove(job_id)

    def _take(self, job: Job) -> None:
        if not self._ownership.holds(job.account) or "into" in job.body:  # a merged job ends with another one
            return
        queue = self._queues.get(job.queue)
        if queue is None:
            queue = self._queues[job.queue] = self._openers[job.queue.partition(":")[0]](job.queue)
            if self._started:
                queue.start()
        if job.id not in self._open:
            job.due_at = job.created_at if job.attempts else max(job.created_at, job.run_at)
            self._open.add(job)
            queue.push(job)

    # ---- reading ----

    def state_of(self, item: OutboxItem) -> str:
        """Return the row's state, or that in memory, which may be newer."""
        if item.state == WorkState.CANCELLED:
            return item.state
        job = self._open.get(item.id or 0)
        return job.state if job is not None else item.state

    def waiting(self) -> dict[str, int]:
        """Return the number of open jobs per queue."""
        return {name: len(queue) for name, queue in self._queues.items()}

    def oldest(self, queue: str) -> float:
        """Return for how many seconds the queue's oldest open job has been due, or 0."""
        now = self._clock()
        due = [max(job.created_at, job.run_at) for job in self._open if job.queue == queue]
        return max(0.0, now - min(due)) if due else 0.0

    def jobs_behind(self, job: Job) -> list[Job]:
        """Return the jobs that wait behind a job that runs, in order."""
        return self._queues[job.queue].jobs_behind(job)

    async def merge(self, first: Job, rest: Sequence[Job], text: str) -> None:
        """Send the texts of waiting jobs as one, with the first: the others end when it ends."""
        body = {**first.body, "text": text, "joined": [*first.body.get("joined", ()), *(job.id for job in rest)]}

        def write(session: Session) -> None:
            replace_body(session, first.id, body)
            for job in rest:
                replace_body(session, job.id, {**job.body, "into": first.id})

        await self._store.write(write)
        first.body = body
        self._queues[first.queue].remove(rest)
        for job in rest:
            self._open.remove(job.id)

    def retry_now(self, queue: str) -> None:
        """Retry the waiting jobs of a queue now."""
        if queue in self._queues:
            self._queues[queue].retry_now()

    def set_pace(self, queue: str, pace: Pace | None) -> None:
        """Replace the rate limiter of a queue."""
        if queue in self._queues and pace is not None:
            self._queues[queue].pace = pace

    def wake_account(self, account: str) -> None:
        """Make all queues of an account check for jobs to start."""
        for name, queue in self._queues.items():
            if name.partition(":")[2] == account:
                queue.wake()

    async def mark_sending(self, job: Job) -> bool:
        """Mark a job as being sent before the call, for jobs that must not be repeated; False if it has ended."""
        return await self._store.write(lambda session: mark_sending(session, job.id))
