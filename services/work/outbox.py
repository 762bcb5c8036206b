"""The outbox: jobs are rows inserted in the transaction that causes them, and are executed after its commit.

After a crash during a delivery its result is unknown. Replies and notices are then sent again (a duplicate is better
than a lost message); a broadcast is marked `sending` before the call and is not repeated.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import update
from sqlmodel import Session, col, select

from models.bulk_insert import in_bulk
from models.db import Store, after_commit
from models.durable import OutboxItem, Priority, WorkState
from services.clock import Clock
from services.work.delivery_queue import DeliveryQueue, Pace
from services.work.delivery_results import DeliveryResults
from services.work.job import Deliver, GiveUp, Job, Retry
from services.work.outbox_rows import END, INSERT, job_of, open_items
from services.work.ownership import Ownership
from services.work.write_batcher import WriteBatcher

log = logging.getLogger(__name__)


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
        await self._store.write(lambda s: self._take_after_commit(s, self._settle_and_load(s, account)))

    async def refresh(self, account: str) -> None:
        """Load the jobs that other processes added for an account of this process."""
        # By the writer: what it shows as open and is not known here was not ended by this process either.
        await self._store.write(lambda s: self._take_after_commit(s, open_items(s, account)))

    def _take_after_commit(self, session: Session, items: Sequence[OutboxItem]) -> None:
        """Take over rows that were read. At once: a delivery may end in a write just behind, and would be repeated."""
        after_commit(session, lambda: self._take_all(items))

    def _take_all(self, items: Sequence[OutboxItem]) -> None:
        for item in items:
            try:
                self._take(job_of(item))
            except LookupError:  # its account or receiver is no longer configured
                log.warning("job %s is waiting: queue %s has no worker", item.id, item.queue)

    async def drop(self, account: str, grace: float) -> None:
        """Drop the jobs of an account, which another process takes over; running ones get `grace` seconds to finish."""
        for work in self._open.values():
            work.dropped = work.dropped or work.account == account
        own = [name for name in self._queues if account and name.partition(":")[2] == account]
        shared = [queue for name, queue in self._queues.items() if name not in own]
        stops = [self._queues.pop(name).stop(grace) for name in own]
        await asyncio.gather(*stops, *(queue.discard(account, grace) for queue in shared))
        await self._ends.drain(max(grace, 0.1))
        self._open = {id: work for id, work in self._open.items() if work.account != account}

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
        work = Job(0, queue, key, body, priority, run_at, now, account=account)
        in_bulk(session, INSERT, values, work.has_id)
        if not self._ownership.holds(account):
            self._ownership.promised(session, account)
        after_commit(session, lambda: self._take(work))
        return work

    def again(self, session: Session, item: OutboxItem) -> None:
        """Queue a failed job again, inside a transaction, with all its attempts."""
        item.sqlmodel_update({"state": WorkState.QUEUED, "attempts": 0, "error": "", "run_at": 0.0, "done_at": None})
        item.created_at = self._clock()  # the age limit of retries starts again
        session.add(item)
        session.flush()
        work = job_of(item)
        if not self._ownership.holds(work.account):
            self._ownership.promised(session, work.account)
        after_commit(session, lambda: self._take(work))

    def _take(self, work: Job) -> None:
        if not self._ownership.holds(work.account):
            return
        queue = self._queues.get(work.queue)
        if queue is None:
            queue = self._queues[work.queue] = self._openers[work.queue.partition(":")[0]](work.queue)
            if self._started:
                queue.start()
        if work.id not in self._open:
            work.due_at = work.created_at if work.attempts else max(work.created_at, work.run_at)
            self._open[work.id] = work
            queue.push(work)

    # ---- reading ----

    def state_of(self, item: OutboxItem) -> str:
        """Return the row's state, or that in memory, which may be newer."""
        work = self._open.get(item.id or 0)
        return work.state if work is not None else item.state

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
        due = [max(work.created_at, work.run_at) for work in self._open.values() if work.queue == queue]
        return max(0.0, now - min(due)) if due else 0.0

    def retry_now(self, queue: str) -> None:
        """Retry the waiting jobs of a queue now."""
        if queue in self._queues:
            self._queues[queue].retry_now()

    def repace(self, queue: str, pace: Pace | None) -> None:
        """Replace the rate limiter of a queue."""
        if queue in self._queues and pace is not None:
            self._queues[queue].pace = pace

    def poke(self, queue: str) -> None:
        """Tell a queue to check for jobs to start."""
        if queue in self._queues:
            self._queues[queue].poke()

    def poke_account(self, account: str) -> None:
        """Tell all queues of an account to check for jobs to start."""
        for name, queue in self._queues.items():
            if name.partition(":")[2] == account:
                queue.poke()

    async def mark_sending(self, work: Job) -> None:
        """Mark a job as being sent before the call, for jobs that must not be repeated."""
        await self._store.write(
            lambda session: session.connection().execute(
                update(OutboxItem).where(col(OutboxItem.id) == work.id).values(state=WorkState.SENDING)
            )
        )

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
        item.sqlmodel_update({"state": WorkState.FAILED, "error": why})
        session.add(item)
        session.flush()
        for listener in self._on_failed:
            listener(session, job_of(item), GiveUp(why))
        return True

    # ---- results ----

    def _finished(self, work: Job, result: str | Retry | GiveUp) -> None:
        self.results.count(work, result, self._clock())
        end: dict[str, Any] = {
            "item": work.id,
            "to": WorkState.SENT,
            "what": "",
            "why": "",
            "tries": work.attempts,
            "again_at": work.run_at,
        }
        end["ended"] = self._clock()
        if isinstance(result, Retry):
            # An attempt that does not count must not leave run_at behind: after a restart the job would be taken for a
            # scheduled one.
            end |= {"to": WorkState.QUEUED, "why": result.why, "ended": None}
            end["again_at"] = work.run_at if result.counts else 0.0
        else:
            if isinstance(result, GiveUp):
                end |= {"to": WorkState.UNKNOWN if result.unknown else WorkState.FAILED, "why": result.why}
                log.warning("giving up on job %s of queue %s: %s", work.id, work.queue, result.why)
            else:
                end["what"] = result
            work.state = end["to"]  # returned by state_of until the row is written
        self._ends.put(_End(work, result, end))

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
        session.connection().execute(END, [end.values for end in ends])
        for end in ends:
            if not isinstance(end.result, Retry):
                after_commit(session, partial(self._open.pop, end.work.id, None))
            if isinstance(end.result, GiveUp):
                for listener in self._on_failed:
                    listener(session, end.work, end.result)
            elif isinstance(end.result, str):
                for told in self._on_sent:
                    told(session, end.work)


class _End(NamedTuple):
    work: Job
    result: str | Retry | GiveUp
    values: dict[str, Any]
