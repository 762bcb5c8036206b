"""The outbox: jobs are rows inserted in the transaction that causes them, and are executed after its commit.

After a crash during a delivery its result is unknown. Replies and notices are then sent again (a duplicate is better
than a lost message); a broadcast is marked `sending` before the call and is not repeated.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from sqlalchemy import update
from sqlmodel import Session, col, select

from models.bulk_insert import in_bulk
from models.db import Store, after_commit
from models.durable import OutboxItem, Priority, WorkState
from services.clock import Clock
from services.work.delivery_queue import DeliveryQueue, Pace
from services.work.delivery_results import DeliveryResults
from services.work.job import Cancelled, Deliver, GiveUp, Job, Result, Retry
from services.work.outbox_rows import END, INSERT, cancel_items, job_of, joined_items, keep_body, open_items
from services.work.ownership import Ownership
from services.work.write_batcher import WriteBatcher

log = logging.getLogger(__name__)
BATCH: Final = 500  # ids in one statement


class Outbox:
    """All queues of jobs."""

    def __init__(self, store: Store, clock: Clock, ownership: Ownership | None = None) -> None:
        self._store = store
        self._clock = clock
        self._ownership = ownership or Ownership()
        self.results = DeliveryResults()
        self._queues: dict[str, DeliveryQueue] = {}
        self._openers: dict[str, Callable[[str], DeliveryQueue]] = {}
        self._open: dict[int, Job] = {}
        self._ends = WriteBatcher[_End](store, self._write_ends)
        self._on_failed: list[Callable[[Session, Job, GiveUp], None]] = []
        self._on_sent: list[Callable[[Session, Job], None]] = []
        self._started = False

    # ---- setup ----

    def serve(
        self,
        prefix: str,
        deliver: Deliver,
        *,
        pace: Callable[[str], Pace | None] = lambda _name: None,
        at_once: int = 16,
        is_open: Callable[[str], bool] = lambda _name: True,
    ) -> None:
        """Set the delivery function of the queues named `prefix:…`; each name has its own queue."""

        def open_queue(name: str) -> DeliveryQueue:
            rest = name.partition(":")[2]
            return DeliveryQueue(
                name,
                deliver,
                self._finished,
                pace=pace(rest),
                at_once=at_once,
                clock=self._clock,
                is_open=lambda: is_open(rest),
            )

        self._openers[prefix] = open_queue

    def on_failed(self, listener: Callable[[Session, Job, GiveUp], None]) -> None:
        """Register a listener for jobs that failed finally, called in the transaction that records it."""
        self._on_failed.append(listener)

    def on_sent(self, listener: Callable[[Session, Job], None]) -> None:
        """Register a listener for jobs that were done, called in the transaction that records it."""
        self._on_sent.append(listener)

    async def load(self, account: str | None = None) -> None:
        """Load the open jobs of an earlier process, of one account or of all, before new jobs are added, so that the
        order is kept.
        """
        self._take_all(await self._store.write(lambda s: self._settle_and_load(s, account)))

    async def refresh(self, account: str) -> None:
        """Load the jobs that other processes added for an account of this process, and drop those they cancelled."""
        before = [job.id for job in self._open.values() if job.account == account]
        # By the writer: what it shows as open and is not known here was not ended by this process either.
        items = await self._store.write(lambda s: open_items(s, account))
        self._take_all(items)
        still_open = {item.id for item in items}
        self._forget([id for id in before if id not in still_open])

    def _take_all(self, items: Sequence[OutboxItem]) -> None:
        for item in items:
            try:
                self._take(job_of(item))
            except LookupError:  # its account or receiver is no longer configured
                log.warning("job %s is waiting: queue %s has no worker", item.id, item.queue)

    async def drop(self, account: str, grace: float) -> None:
        """Drop the jobs of an account, which another process takes over; running ones get `grace` seconds to finish."""
        for job in self._open.values():
            job.dropped = job.dropped or job.account == account
        own = [name for name in self._queues if account and name.partition(":")[2] == account]
        shared = [queue for name, queue in self._queues.items() if name not in own]
        stops = [self._queues.pop(name).stop(grace) for name in own]
        await asyncio.gather(*stops, *(queue.discard(account, grace) for queue in shared))
        await self._ends.drain(max(grace, 0.1))
        self._open = {id: job for id, job in self._open.items() if job.account != account}

    async def start(self) -> None:
        """Start delivering."""
        self._started = True
        for queue in self._queues.values():
            queue.start()

    async def stop(self, grace: float) -> None:
        """Give running deliveries `grace` seconds to finish; the other jobs stay in the database."""
        self._started = False
        await asyncio.gather(*(queue.stop(grace) for queue in self._queues.values()))
        await self._ends.drain(grace)

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
            "queue": queue,
            "account": account,
            "key": key,
            "priority": priority,
            "body": json.dumps(body, ensure_ascii=False),
            "state": WorkState.QUEUED,
            "attempts": 0,
            "error": "",
            "result": "",
            "idempotency_key": idempotency_key,
            "fingerprint": fingerprint,
            "run_at": run_at,
            "created_at": now,
        }
        job = Job(0, queue, key, body, priority, run_at, now, account=account)
        in_bulk(session, INSERT, values, job.has_id)
        if not self._ownership.holds(account):
            self._ownership.promised(session, account)
        after_commit(session, lambda: self._take(job))
        return job

    def again(self, session: Session, item: OutboxItem) -> None:
        """Queue a failed job again, inside a transaction, with all its attempts."""
        item.sqlmodel_update({"state": WorkState.QUEUED, "attempts": 0, "error": "", "run_at": 0.0, "done_at": None})
        item.created_at = self._clock()  # the age limit of retries starts again
        session.add(item)
        session.flush()
        job = job_of(item)
        if not self._ownership.holds(job.account):
            self._ownership.promised(session, job.account)
        after_commit(session, lambda: self._take(job))

    def cancel(self, session: Session, ids: Sequence[int], accounts: Collection[str]) -> int:
        """Cancel those of these jobs that have not been attempted, inside a transaction; return how many.

        `accounts`: whose jobs they are. A job that is running is not interrupted, but not retried either.
        """
        batches = (ids[at : at + BATCH] for at in range(0, len(ids), BATCH))
        gone = [id for batch in batches for id in cancel_items(session, batch, self._clock())]
        for account in accounts:
            if not self._ownership.holds(account):
                self._ownership.promised(session, account)  # its holder looks at its jobs again
        after_commit(session, lambda: self._forget(gone))
        return len(gone)

    def _forget(self, ids: Sequence[int]) -> None:
        """Drop cancelled jobs from memory, except those that are running: they find out by themselves."""
        names = set[str]()
        for id in ids:
            job = self._open.get(id)
            if job is not None and job.state == WorkState.QUEUED:
                job.dropped = True
                names.add(job.queue)
                del self._open[id]
        for name in names:
            self._queues[name].forget_dropped()

    def _take(self, job: Job) -> None:
        if not self._ownership.holds(job.account) or "into" in job.body:  # what was joined ends with its host
            return
        queue = self._queues.get(job.queue)
        if queue is None:
            queue = self._queues[job.queue] = self._openers[job.queue.partition(":")[0]](job.queue)
            if self._started:
                queue.start()
        if job.id not in self._open:
            job.due_at = job.created_at if job.attempts else max(job.created_at, job.run_at)
            self._open[job.id] = job
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

    def sent_since(self, session: Session, queue: str, since: float) -> list[float]:
        """Return when the queue's jobs were done after `since`, in order, for its rate limiter."""
        when = col(OutboxItem.done_at)
        return [
            at or 0.0 for at in session.exec(select(when).where(OutboxItem.queue == queue, when > since).order_by(when))
        ]

    def oldest(self, queue: str) -> float:
        """Return for how many seconds the queue's oldest open job has been due, or 0."""
        now = self._clock()
        due = [max(job.created_at, job.run_at) for job in self._open.values() if job.queue == queue]
        return max(0.0, now - min(due)) if due else 0.0

    def behind(self, job: Job) -> list[Job]:
        """Return the jobs that wait behind a job that runs, in order."""
        return self._queues[job.queue].behind(job)

    async def join(self, host: Job, guests: Sequence[Job], text: str) -> None:
        """Send the texts of waiting jobs as one: the guests end together with their host."""
        body = {**host.body, "text": text, "joined": [*host.body.get("joined", ()), *(guest.id for guest in guests)]}

        def write(session: Session) -> None:
            keep_body(session, host.id, body)
            for guest in guests:
                keep_body(session, guest.id, {**guest.body, "into": host.id})

        await self._store.write(write)
        host.body = body
        self._queues[host.queue].take_out(guests)
        for guest in guests:
            self._open.pop(guest.id, None)

    def retry_now(self, queue: str) -> None:
        """Retry the waiting jobs of a queue now."""
        if queue in self._queues:
            self._queues[queue].retry_now()

    def set_pace(self, queue: str, pace: Pace | None) -> None:
        """Replace the rate limiter of a queue."""
        if queue in self._queues and pace is not None:
            self._queues[queue].pace = pace

    def wake(self, queue: str) -> None:
        """Tell a queue to check for jobs to start."""
        if queue in self._queues:
            self._queues[queue].wake()

    def wake_account(self, account: str) -> None:
        """Tell all queues of an account to check for jobs to start."""
        for name, queue in self._queues.items():
            if name.partition(":")[2] == account:
                queue.wake()

    async def mark_sending(self, job: Job) -> bool:
        """Mark a job as being sent before the call, for jobs that must not be repeated; False if it was cancelled."""
        wanted = col(OutboxItem.id) == job.id, col(OutboxItem.state) != WorkState.CANCELLED
        marked = update(OutboxItem).where(*wanted).values(state=WorkState.SENDING)
        return await self._store.write(lambda session: bool(session.connection().execute(marked).rowcount))

    async def last_sent(self, queue: str, key: str, since: float) -> int:
        """Return the id of the newest job of a key done since this time, or 0."""
        done = select(OutboxItem.id).where(OutboxItem.queue == queue, OutboxItem.key == key)
        done = done.where(OutboxItem.state == WorkState.SENT, col(OutboxItem.done_at) >= since)
        newest = done.order_by(col(OutboxItem.id).desc()).limit(1)
        return await self._store.read(lambda s: s.exec(newest).first()) or 0

    def fail_sent(self, session: Session, number: int, queue: str, why: str) -> bool:
        """Mark a sent message as failed after all, inside a transaction; return False if it is not in state sent."""
        item = session.get(OutboxItem, number)
        if item is None or item.queue != queue or item.state != WorkState.SENT:
            return False
        for one in (item, *joined_items(session, job_of(item))):
            one.sqlmodel_update({"state": WorkState.FAILED, "error": why})
            session.add(one)
            session.flush()
            for listener in self._on_failed:
                listener(session, job_of(one), GiveUp(why))
        return True

    # ---- results ----

    def _finished(self, job: Job, result: Result) -> None:
        self.results.count(job, result, self._clock())
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
            job.state = end["to"]  # returned by state_of until the row is written
        self._ends.put(_End(job, result, end))

    def _settle_and_load(self, session: Session, account: str | None) -> Sequence[OutboxItem]:
        """Settle and load open jobs.

        Deliveries interrupted by a crash are repeated, except broadcasts, which end as unknown.
        """
        items = open_items(session, account)
        cut_off = [i for i in items if i.state == WorkState.SENDING and i.priority == Priority.BROADCAST]
        gone = GiveUp("interrupted while sending", unknown=True)
        for item in cut_off:
            item.sqlmodel_update({"state": WorkState.UNKNOWN, "error": gone.why, "done_at": self._clock()})
            for listener in self._on_failed:  # listeners may add jobs in this transaction, which are not among `items`
                listener(session, job_of(item), gone)
        for item in items:
            if item.state == WorkState.SENDING:
                item.state = WorkState.QUEUED
        session.flush()
        return [item for item in items if item.state == WorkState.QUEUED]

    def _write_ends(self, session: Session, ends: list[_End]) -> None:
        ends = [one for end in ends for one in (end, *_ends_of_joined(session, end))]
        session.connection().execute(END, [end.values for end in ends])
        for end in ends:
            if not isinstance(end.result, Retry):
                after_commit(session, partial(self._open.pop, end.job.id, None))
            if isinstance(end.result, GiveUp):
                for listener in self._on_failed:
                    listener(session, end.job, end.result)
            elif isinstance(end.result, str):
                for told in self._on_sent:
                    told(session, end.job)


class _End(NamedTuple):
    job: Job
    result: Result
    values: dict[str, Any]


def _ends_of_joined(session: Session, end: _End) -> list[_End]:
    """The ends of the jobs that were sent together with this one."""
    if isinstance(end.result, Retry):
        return []
    return [_End(job_of(item), end.result, {**end.values, "item": item.id}) for item in joined_items(session, end.job)]
