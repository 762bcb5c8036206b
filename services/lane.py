"""One lane of promised work: in order per key, the most urgent first, at the pace its governor allows."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from models.durable import Priority, WorkState

log = logging.getLogger(__name__)
Clock = Callable[[], float]


@dataclass(slots=True)
class Work:
    """A promised piece of work as it is kept in memory while it is open."""

    id: int
    lane: str
    key: str
    body: dict[str, Any]
    priority: str = Priority.REPLY
    run_at: float = 0
    created_at: float = 0
    attempts: int = 0
    state: str = WorkState.QUEUED


@dataclass(frozen=True, slots=True)
class Later:
    """What a delivery answers when it did not happen but may later. `again_in` is in seconds."""

    again_in: float
    why: str
    counts: bool = True  # whether this try is one of the few the work has


@dataclass(frozen=True, slots=True)
class Gone:
    """What a delivery answers when it will never happen; `unknown` when it may have happened."""

    why: str
    unknown: bool = False


class Pace(Protocol):
    """What a lane asks before each piece of work; seconds to wait, 0 = now."""

    def lane_delay(self) -> float:
        """How long nothing at all may go."""

    def key_delay(self, key: str) -> float:
        """How long nothing with this key may go."""

    def spend(self, key: str) -> None:
        """One goes now."""


class NoPace:
    """No limits."""

    def lane_delay(self) -> float:
        """Never wait."""
        return 0

    def key_delay(self, key: str) -> float:
        """Never wait."""
        return 0

    def spend(self, key: str) -> None:
        """Nothing to count."""


Deliver = Callable[[Work], Awaitable[str | Later | Gone]]


class Lane:
    """Runs the deliveries of one account or one receiver. `finished(work, result)` hears of every end and retry."""

    def __init__(
        self,
        name: str,
        deliver: Deliver,
        finished: Callable[[Work, str | Later | Gone], None],
        *,
        pace: Pace | None = None,
        at_once: int = 16,
        clock: Clock,
        is_open: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self.pace = pace or NoPace()
        self._deliver = deliver
        self._finished = finished
        self._clock = clock
        self._is_open = is_open
        self._keys: dict[str, deque[Work]] = {}
        self._ready: list[tuple[str, int, int, str]] = []  # priority, id, tie-break, key: heads of keys that may go
        self._order = itertools.count()
        self._timers: set[asyncio.TimerHandle] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._slots = at_once
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run(), name=f"lane {self.name}")

    async def stop(self, grace: float) -> None:
        """Take no new work up, let what runs finish for `grace` seconds."""
        if self._task is not None:
            self._task.cancel()
        for timer in self._timers:
            timer.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for task in self._running:
            task.cancel()

    def __len__(self) -> int:
        return sum(map(len, self._keys.values()))

    def poke(self) -> None:
        """Look again: the account is back, or the pace has changed."""
        self._wake.set()

    def push(self, work: Work) -> None:
        """Take a piece of work in. What is for later holds up nothing till its time; what was tried keeps its place."""
        wait = work.run_at - self._clock()
        if wait > 0 and not work.attempts:
            self._after(wait, lambda: self.push(work))
        else:
            self._enqueue(work)

    def _enqueue(self, work: Work) -> None:
        line = self._keys.get(work.key)
        if line is None:
            self._keys[work.key] = deque((work,))
            self._offer(work)
        else:
            line.append(work)

    def _offer(self, work: Work) -> None:
        wait = work.run_at - self._clock()
        if wait > 0:
            self._after(wait, lambda: self._offer(work))
            return
        heapq.heappush(self._ready, (work.priority, work.id, next(self._order), work.key))
        self._wake.set()

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            then()

        timer = asyncio.get_running_loop().call_later(min(seconds, 86400), fire)
        self._timers.add(timer)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            wait = self._start_what_may_go()
            try:
                await asyncio.wait_for(self._wake.wait(), wait)
            except TimeoutError:
                continue

    def _start_what_may_go(self) -> float | None:
        """Start deliveries until none may go; seconds after which to look again (None = when woken)."""
        while self._ready and self._slots and self._is_open():
            wait = self.pace.lane_delay()
            if wait > 0:
                return wait
            key = heapq.heappop(self._ready)[3]
            work = self._keys[key][0]
            wait = self.pace.key_delay(key)
            if wait > 0:
                self._after(wait, lambda work=work: self._offer(work))  # type: ignore[misc]
                continue
            self.pace.spend(key)
            self._slots -= 1
            task = asyncio.create_task(self._do(work))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return None

    async def _do(self, work: Work) -> None:
        work.state = WorkState.SENDING
        try:
            result = await self._deliver(work)
        except Exception as error:
            log.exception("delivery %s on lane %s failed", work.id, self.name)
            result = Gone(type(error).__name__)
        finally:
            self._slots += 1
        work.state = WorkState.QUEUED
        if isinstance(result, Later):
            work.attempts += result.counts
            work.run_at = self._clock() + result.again_in
            self._finished(work, result)
            self._offer(work)
        else:
            self._finished(work, result)
            self._next(work.key)
        self._wake.set()

    def _next(self, key: str) -> None:
        line = self._keys[key]
        line.popleft()
        if line:
            self._offer(line[0])
        else:
            del self._keys[key]
