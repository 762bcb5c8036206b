"""A queue of jobs: in order per key, by priority, as fast as its rate limiter allows."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from models.db import is_away
from models.durable import Priority, WorkState
from services.clock import DAY, Clock
from services.work.job import Deliver, GiveUp, Job, Result, Retry
from services.work.pace import NoPace, Pace

log = logging.getLogger(__name__)
DATABASE_AWAY = 2.0  # seconds until a job is retried after a database failure


@dataclass(slots=True)
class _KeyQueue:
    """The jobs of one key. Broadcasts have their own queue, so that replies do not wait for them."""

    key: tuple[str, bool]
    jobs: deque[Job] = field(default_factory=deque)
    kinds: Counter[str] = field(default_factory=Counter)  # number of jobs per priority
    ticket: int = 0  # ticket of the current entry in the ready heap; 0 while running or waiting
    waits: int = 0  # number of waits so far; identifies the current one
    offered_priority: str = ""
    turn: int = 0  # order among queues of the same priority: the lowest is served first
    task: asyncio.Task[None] | None = None  # of the running job


class DeliveryQueue:
    """Runs the deliveries of an account or receiver. `finished(job, result)` is called after every attempt."""

    def __init__(
        self,
        name: str,
        deliver: Deliver,
        finished: Callable[[Job, Result], None],
        *,
        pace: Pace | None = None,
        concurrency: int = 16,
        clock: Clock,
        is_open: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self.pace = pace or NoPace()
        self._deliver = deliver
        self._finished = finished
        self._clock = clock
        self._is_open = is_open
        self._key_queues: dict[tuple[str, bool], _KeyQueue] = {}
        self._ready: list[tuple[str, int, int, int, _KeyQueue]] = []  # priority, turn, id of the head, ticket, queue
        self._turns: dict[str, int] = {}  # by priority: the turn that was served last
        self._tickets = 0
        self._timers: set[asyncio.TimerHandle] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._slots = concurrency
        self._is_running = False
        self._dispatch_handle: asyncio.Handle | None = None
        self._dispatch_timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start delivering."""
        self._is_running = True
        self.wake()

    async def stop(self, grace: float) -> None:
        """Stop starting jobs; give running ones `grace` seconds to finish."""
        self._is_running = False
        for timer in self._timers:
            timer.cancel()
        if self._dispatch_timer is not None:
            self._dispatch_timer.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def discard(self, account: str, grace: float) -> None:
        """Forget the jobs of one account, which are marked as dropped; running ones get `grace` seconds to finish."""
        tasks = [queue.task for queue in self._key_queues.values() if queue.task and queue.jobs[0].account == account]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.forget_dropped()

    def forget_dropped(self) -> None:
        """Forget the jobs that are marked as dropped."""
        for key_queue in list(self._key_queues.values()):
            self._forget_dropped(key_queue)

    def _forget_dropped(self, key_queue: _KeyQueue) -> None:
        if not any(job.dropped for job in key_queue.jobs):
            return
        head = key_queue.jobs[0]
        key_queue.jobs = deque(job for job in key_queue.jobs if not job.dropped)
        key_queue.kinds = Counter(job.priority for job in key_queue.jobs)
        if not key_queue.jobs:
            del self._key_queues[key_queue.key]
        if head.dropped:
            key_queue.ticket, key_queue.waits = 0, key_queue.waits + 1  # cancels its pending offer or wait
            if key_queue.jobs:
                self._offer(key_queue)

    def jobs_behind(self, job: Job) -> list[Job]:
        """Return the jobs behind the first of a key, in order."""
        key_queue = self._key_queues.get((job.key, job.priority == Priority.BROADCAST))
        return list(key_queue.jobs)[1:] if key_queue and key_queue.jobs[0] is job else []

    def remove(self, jobs: Sequence[Job]) -> None:
        """Remove waiting jobs, which are marked as dropped."""
        for job in jobs:
            job.dropped = True
        for key in {(job.key, job.priority == Priority.BROADCAST) for job in jobs} & self._key_queues.keys():
            self._forget_dropped(self._key_queues[key])

    def __len__(self) -> int:
        """Return the number of jobs that are due."""
        return sum(len(key_queue.jobs) for key_queue in self._key_queues.values())

    def wake(self) -> None:
        """Check for jobs to start, because the account is online again or the rate limit has changed."""
        if self._dispatch_handle is None and self._is_running:
            self._dispatch_handle = asyncio.get_running_loop().call_soon(self._dispatch)

    def push(self, job: Job) -> None:
        """Add a job. A new job with a later time is not queued until then; a retried job keeps its position."""
        wait = job.run_at - self._clock()
        if wait > 0 and not job.attempts:
            self._after(wait, lambda: self._enqueue(job))
        else:
            self._enqueue(job)

    def _enqueue(self, job: Job) -> None:
        if job.dropped:
            return
        key = (job.key, job.priority == Priority.BROADCAST)
        key_queue = self._key_queues.get(key)
        if key_queue is None:
            key_queue = self._key_queues[key] = _KeyQueue(key)
        key_queue.jobs.append(job)
        key_queue.kinds[job.priority] += 1
        if len(key_queue.jobs) == 1:
            self._offer(key_queue, job.run_at - self._clock() if job.attempts else 0)
        elif key_queue.ticket and job.priority < key_queue.offered_priority:
            self._offer(key_queue)

    def _offer(self, key_queue: _KeyQueue, wait: float = 0) -> None:
        """Put the first job of a key into the ready heap, with the highest priority of its queue, now or after `wait`
        seconds.
        """
        if wait > 0:
            self._wait(key_queue, wait)
            return
        self._tickets += 1
        key_queue.ticket = self._tickets
        key_queue.offered_priority = min(key_queue.kinds)
        # A new queue takes part from this turn on, so that long ones do not delay it.
        key_queue.turn = max(key_queue.turn, self._turns.get(key_queue.offered_priority, 0))
        heapq.heappush(
            self._ready, (key_queue.offered_priority, key_queue.turn, key_queue.jobs[0].id, key_queue.ticket, key_queue)
        )
        self.wake()

    def _wait(self, key_queue: _KeyQueue, seconds: float) -> None:
        """Offer a queue later, unless it is offered before."""
        key_queue.ticket, key_queue.waits = 0, key_queue.waits + 1
        number = key_queue.waits
        self._after(seconds, lambda: self._offer(key_queue) if key_queue.waits == number else None)

    def retry_now(self) -> None:
        """End the waits for retries."""
        for key_queue in self._key_queues.values():
            if not key_queue.ticket and key_queue.jobs[0].state == WorkState.QUEUED:
                key_queue.waits += 1  # invalidates the running wait
                self._offer(key_queue)

    def _after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call `callback` after `seconds`, regardless of changes of the system clock."""

        def fire() -> None:
            self._timers.discard(timer)
            if seconds > DAY:
                self._after(seconds - DAY, callback)
            else:
                callback()

        timer = asyncio.get_running_loop().call_later(min(seconds, DAY), fire)
        self._timers.add(timer)

    def _dispatch(self) -> None:
        self._dispatch_handle = None
        if self._dispatch_timer is not None:
            self._dispatch_timer.cancel()
            self._dispatch_timer = None
        while self._is_running and self._ready and self._slots and self._is_open():
            _, _, _, ticket, key_queue = self._ready[0]
            if ticket != key_queue.ticket:  # it has been offered again since then
                heapq.heappop(self._ready)
                continue
            wait = self.pace.queue_delay()
            if wait > 0:
                self._dispatch_timer = asyncio.get_running_loop().call_later(wait, self.wake)
                return
            heapq.heappop(self._ready)
            key_queue.ticket = 0
            wait = self.pace.key_delay(key_queue.key[0])
            if wait > 0:
                self._wait(key_queue, wait)
                continue
            self._begin(key_queue)

    def _begin(self, key_queue: _KeyQueue) -> None:
        self.pace.spend(key_queue.key[0])
        self._turns[key_queue.offered_priority] = key_queue.turn
        key_queue.turn += 1
        self._slots -= 1
        key_queue.jobs[0].state = WorkState.SENDING  # before the task runs, so that it is not offered again
        key_queue.task = task = asyncio.create_task(self._run(key_queue))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, key_queue: _KeyQueue) -> None:
        job = key_queue.jobs[0]
        try:
            result = await self._deliver(job)
        except Exception as error:  # noqa: BLE001 - a failing job must not affect others
            result = self._failure(job, error)
        finally:
            self._slots += 1
            job.state = WorkState.QUEUED
            key_queue.task = None
        if isinstance(result, Retry):
            job.attempts += result.counts
            job.run_at = self._clock() + result.again_in
        self._finished(job, result)
        wait = result.again_in if isinstance(result, Retry) else 0
        if key_queue.jobs and not isinstance(result, Retry):  # without jobs, all were dropped meanwhile
            _remove_first(key_queue)
        while key_queue.jobs and key_queue.jobs[0].dropped:  # served by another process now
            _remove_first(key_queue)
            wait = 0
        if key_queue.jobs:
            self._offer(key_queue, wait)
        elif self._key_queues.get(key_queue.key) is key_queue:
            del self._key_queues[key_queue.key]
        self.wake()

    def _failure(self, job: Job, error: Exception) -> Retry | GiveUp:
        """Return the result for an unexpected exception; database failures are retried without counting."""
        if is_away(error):
            log.error("job %s of queue %s is waiting for the database: %s", job.id, self.name, type(error).__name__)
            return Retry(DATABASE_AWAY, "the database is unavailable", counts=False)
        log.error("job %s of queue %s failed", job.id, self.name, exc_info=error)
        return GiveUp(type(error).__name__)


def _remove_first(key_queue: _KeyQueue) -> None:
    job = key_queue.jobs.popleft()
    key_queue.kinds[job.priority] -= 1
    key_queue.kinds += Counter()  # removes zero counts
