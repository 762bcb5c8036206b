"""A queue of jobs: in order per key, by priority, at the rate its governor allows."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from models.db import is_away
from models.durable import Priority, WorkState
from services.clock import DAY, Clock
from services.work.job import Deliver, GiveUp, Job, Result, Retry

log = logging.getLogger(__name__)
DATABASE_AWAY = 2.0  # seconds until a job is retried after a database failure


class Pace(Protocol):
    """Rate limiter of a queue. Delays are in seconds, 0 = now."""

    def queue_delay(self) -> float:
        """Return the delay before any job may start."""

    def key_delay(self, key: str) -> float:
        """Return the delay before a job with this key may start."""

    def spend(self, key: str) -> None:
        """Count a job that starts now."""


class NoPace:
    """No rate limit."""

    def queue_delay(self) -> float:
        """Return 0."""
        return 0

    def key_delay(self, key: str) -> float:
        """Return 0."""
        return 0

    def spend(self, key: str) -> None:
        """Do nothing."""


@dataclass(slots=True)
class _Line:
    """The jobs of one key. Broadcasts have a line of their own, so that replies do not wait for them."""

    key: tuple[str, bool]
    works: deque[Job] = field(default_factory=deque)
    kinds: Counter[str] = field(default_factory=Counter)  # number of jobs per priority
    ticket: int = 0  # ticket of the current entry in the ready heap; 0 while running or waiting
    waits: int = 0  # number of waits so far; identifies the current one
    offered_as: str = ""
    turn: int = 0  # whose turn it is among lines of one priority: the lowest goes first
    task: asyncio.Task[None] | None = None  # of the work that runs


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
        self._lines: dict[tuple[str, bool], _Line] = {}
        self._ready: list[tuple[str, int, int, int, _Line]] = []  # priority, turn, id of the head, ticket, line
        self._turns: dict[str, int] = {}  # by priority: the turn that was served last
        self._tickets = 0
        self._timers: set[asyncio.TimerHandle] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._slots = concurrency
        self._runs = False
        self._look: asyncio.Handle | None = None
        self._look_again: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start delivering."""
        self._runs = True
        self.wake()

    async def stop(self, grace: float) -> None:
        """Stop starting jobs; give running ones `grace` seconds to finish."""
        self._runs = False
        for timer in self._timers:
            timer.cancel()
        if self._look_again is not None:
            self._look_again.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def discard(self, account: str, grace: float) -> None:
        """Forget the work of one account, which is marked as dropped; what runs of it may take `grace` seconds."""
        tasks = [line.task for line in self._lines.values() if line.task and line.works[0].account == account]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.forget_dropped()

    def forget_dropped(self) -> None:
        """Forget the jobs that are marked as dropped."""
        for line in list(self._lines.values()):
            self._forget_dropped(line)

    def _forget_dropped(self, line: _Line) -> None:
        if not any(job.dropped for job in line.works):
            return
        head = line.works[0]
        line.works = deque(job for job in line.works if not job.dropped)
        line.kinds = Counter(job.priority for job in line.works)
        if not line.works:
            del self._lines[line.key]
        if head.dropped:
            line.ticket, line.waits = 0, line.waits + 1  # no offer and no wait of it stands any more
            if line.works:
                self._offer(line)

    def behind(self, job: Job) -> list[Job]:
        """Return the jobs behind the first of a line, in order."""
        line = self._lines.get((job.key, job.priority == Priority.BROADCAST))
        return list(line.works)[1:] if line and line.works[0] is job else []

    def take_out(self, works: Sequence[Job]) -> None:
        """Remove waiting jobs, which are marked as dropped."""
        for job in works:
            job.dropped = True
        for key in {(job.key, job.priority == Priority.BROADCAST) for job in works} & self._lines.keys():
            self._forget_dropped(self._lines[key])

    def __len__(self) -> int:
        """Return the number of jobs that are due."""
        return sum(len(line.works) for line in self._lines.values())

    def wake(self) -> None:
        """Check for jobs to start, because the account is online again or the rate limit has changed."""
        if self._look is None and self._runs:
            self._look = asyncio.get_running_loop().call_soon(self._start_what_may_go)

    def push(self, job: Job) -> None:
        """Add a job. A new job with a later time is not in line until then; a retried job keeps its position."""
        wait = job.run_at - self._clock()
        if wait > 0 and not job.attempts:
            self._after(wait, lambda: self._line_up(job))
        else:
            self._line_up(job)

    def _line_up(self, job: Job) -> None:
        if job.dropped:
            return
        key = (job.key, job.priority == Priority.BROADCAST)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(key)
        line.works.append(job)
        line.kinds[job.priority] += 1
        if len(line.works) == 1:
            self._offer(line, job.run_at - self._clock() if job.attempts else 0)
        elif line.ticket and job.priority < line.offered_as:
            self._offer(line)

    def _offer(self, line: _Line, wait: float = 0) -> None:
        """Put the first job of a line into the ready heap, with the highest priority in the line, now or after `wait`
        seconds.
        """
        if wait > 0:
            self._wait(line, wait)
            return
        self._tickets += 1
        line.ticket = self._tickets
        line.offered_as = min(line.kinds)
        # A new line takes part from this turn on, so that long lines do not delay it.
        line.turn = max(line.turn, self._turns.get(line.offered_as, 0))
        heapq.heappush(self._ready, (line.offered_as, line.turn, line.works[0].id, line.ticket, line))
        self.wake()

    def _wait(self, line: _Line, seconds: float) -> None:
        """Offer a line later, unless it is offered before."""
        line.ticket, line.waits = 0, line.waits + 1
        turn = line.waits
        self._after(seconds, lambda: self._offer(line) if line.waits == turn else None)

    def retry_now(self) -> None:
        """End the waits for retries."""
        for line in self._lines.values():
            if not line.ticket and line.works[0].state == WorkState.QUEUED:
                line.waits += 1  # invalidates the running wait
                self._offer(line)

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        """Call `then` after `seconds`, regardless of changes of the system clock."""

        def fire() -> None:
            self._timers.discard(timer)
            if seconds > DAY:
                self._after(seconds - DAY, then)
            else:
                then()

        timer = asyncio.get_running_loop().call_later(min(seconds, DAY), fire)
        self._timers.add(timer)

    def _start_what_may_go(self) -> None:
        self._look = None
        if self._look_again is not None:
            self._look_again.cancel()
            self._look_again = None
        while self._runs and self._ready and self._slots and self._is_open():
            _, _, _, ticket, line = self._ready[0]
            if ticket != line.ticket:  # it was offered anew since
                heapq.heappop(self._ready)
                continue
            wait = self.pace.queue_delay()
            if wait > 0:
                self._look_again = asyncio.get_running_loop().call_later(wait, self.wake)
                return
            heapq.heappop(self._ready)
            line.ticket = 0
            wait = self.pace.key_delay(line.key[0])
            if wait > 0:
                self._wait(line, wait)
                continue
            self._begin(line)

    def _begin(self, line: _Line) -> None:
        self.pace.spend(line.key[0])
        self._turns[line.offered_as] = line.turn
        line.turn += 1
        self._slots -= 1
        line.works[0].state = WorkState.SENDING  # now: it is not offered again before the task runs
        line.task = task = asyncio.create_task(self._do(line))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _do(self, line: _Line) -> None:
        job = line.works[0]
        try:
            result = await self._deliver(job)
        except Exception as error:  # noqa: BLE001 - a failing job must not affect others
            result = self._broken(job, error)
        finally:
            self._slots += 1
            job.state = WorkState.QUEUED
            line.task = None
        if isinstance(result, Retry):
            job.attempts += result.counts
            job.run_at = self._clock() + result.again_in
        self._finished(job, result)
        if line.works and not isinstance(result, Retry):  # else dropped meanwhile, for another process
            line.works.popleft()
            line.kinds[job.priority] -= 1
            line.kinds += Counter()  # removes zero counts
        if line.works:
            self._offer(line, result.again_in if isinstance(result, Retry) else 0)
        elif self._lines.get(line.key) is line:
            del self._lines[line.key]
        self.wake()

    def _broken(self, job: Job, error: Exception) -> Retry | GiveUp:
        """Return the result for an unexpected exception; database failures are retried without counting."""
        if is_away(error):
            log.error("job %s of queue %s is waiting for the database: %s", job.id, self.name, type(error).__name__)
            return Retry(DATABASE_AWAY, "the database is unavailable", counts=False)
        log.error("job %s of queue %s failed", job.id, self.name, exc_info=error)
        return GiveUp(type(error).__name__)
