"""A delivery queue whose deliveries and waits are controlled by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.work.delivery_queue import DeliveryQueue
from services.work.job import GiveUp, Job, Result, Retry
from tests.services.clock import Clock


@dataclass
class SetPace:
    """Waits for a time set by the test."""

    queue: float = 0
    keys: dict[str, float] = field(default_factory=dict)
    spent: list[str] = field(default_factory=list)

    def queue_delay(self) -> float:
        return self.queue

    def key_delay(self, key: str) -> float:
        return self.keys.get(key, 0)

    def spend(self, key: str) -> None:
        self.spent.append(key)


class QueueHarness:
    """A queue whose deliveries are controlled by the test; a body is {"n": NAME}."""

    def __init__(self, clock: Clock, concurrency: int = 16) -> None:
        self.pace = SetPace()
        self.began: list[str] = []
        self.ended: list[tuple[str, Result]] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.answers: dict[str, list[str | Retry | GiveUp]] = {}
        self.is_open = True
        self.number = 0
        self.queue = DeliveryQueue(
            "wx:a",
            self.deliver,
            self.finished,
            pace=self.pace,
            concurrency=concurrency,
            clock=clock,
            is_open=lambda: self.is_open,
        )

    async def deliver(self, work: Job) -> str | Retry | GiveUp:
        name = work.body["n"]
        self.began.append(name)
        if name in self.gates:
            await self.gates[name].wait()
        return self.answers[name].pop(0) if self.answers.get(name) else "done"

    def finished(self, work: Job, result: Result) -> None:
        self.ended.append((work.body["n"], result))

    def push(self, name: str, key: str = "k", **values: Any) -> Job:
        self.number += 1
        work = Job(self.number, "wx:a", key, {"n": name}, **values)
        self.queue.push(work)
        return work


Make = Callable[..., QueueHarness]


@pytest.fixture
async def make(clock: Clock) -> AsyncIterator[Make]:
    harnesses: list[QueueHarness] = []

    def made(**how: Any) -> QueueHarness:
        harnesses.append(QueueHarness(clock, **how))
        return harnesses[-1]

    yield made
    for harness in harnesses:
        await harness.queue.stop(0)


class LongWaits:
    """The timers of a thousand seconds and more, the first of which the test ends."""

    def __init__(self) -> None:
        self._timers: list[tuple[asyncio.TimerHandle, Callable[..., Any]]] = []

    def add(self, timer: asyncio.TimerHandle, then: Callable[..., Any]) -> None:
        self._timers.append((timer, then))

    def end_first(self) -> None:
        timer, then = self._timers.pop(0)
        assert not timer.cancelled()
        timer.cancel()
        then()


@pytest.fixture
async def long_waits(monkeypatch: pytest.MonkeyPatch) -> LongWaits:
    loop, waits = asyncio.get_running_loop(), LongWaits()
    later = loop.call_later

    def call_later(seconds: float, then: Callable[..., Any], *arguments: Any) -> asyncio.TimerHandle:
        timer = later(seconds, then, *arguments)
        if seconds >= 1000:
            waits.add(timer, then)
        return timer

    monkeypatch.setattr(loop, "call_later", call_later)
    return waits


async def run_loop(number: int = 20) -> None:
    """Run the event loop a few times, so that every job that may start has started."""
    for _ in range(number):
        await asyncio.sleep(0)


def running(harness: QueueHarness, *names: str) -> None:
    """Hold these deliveries, and start the queue."""
    harness.gates |= {name: asyncio.Event() for name in names}
    harness.queue.start()


def drop(*jobs: Job) -> None:
    for job in jobs:
        job.dropped = True
