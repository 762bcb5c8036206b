"""One queue by itself: what goes first, what waits, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from models.durable import Priority, WorkState
from services.work.delivery_queue import DeliveryQueue, NoPace
from services.work.job import GiveUp, Job, Result, Retry
from tests.services.clock import Clock
from tests.services.conftest import until

DAY = 86400.0


@dataclass
class SetPace:
    """Waits as a test says."""

    queue: float = 0
    keys: dict[str, float] = field(default_factory=dict)
    spent: list[str] = field(default_factory=list)

    def queue_delay(self) -> float:
        return self.queue

    def key_delay(self, key: str) -> float:
        return self.keys.get(key, 0)

    def spend(self, key: str) -> None:
        self.spent.append(key)


class Bench:
    """A queue whose deliveries end when and as a test says; a body is {"n": NAME}."""

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


@pytest.fixture
async def make(clock: Clock) -> AsyncIterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def made(**how: Any) -> Bench:
        benches.append(Bench(clock, **how))
        return benches[-1]

    yield made
    for bench in benches:
        await bench.queue.stop(0)


async def turns(number: int = 20) -> None:
    """Let the loop go round, so that all that may begin has begun."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_nothing_runs_before_start_or_while_closed(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.push("one")
    bench.queue.wake()
    await turns()
    assert bench.began == []
    bench.is_open = False
    bench.queue.start()
    await turns()
    assert bench.began == []
    bench.is_open = True
    bench.queue.wake()
    await until(lambda: bench.ended == [("one", "done")])
    assert len(bench.queue) == 0


async def test_concurrency_is_limited(make: Callable[..., Bench]) -> None:
    bench = make(concurrency=2)
    for name in "abc":
        bench.gates[name] = asyncio.Event()
        bench.push(name, key=name)
    bench.queue.start()
    await turns()
    assert bench.began == ["a", "b"]
    assert len(bench.queue) == 3
    bench.gates["b"].set()
    await until(lambda: bench.began == ["a", "b", "c"])


async def test_default_concurrency_is_sixteen(clock: Clock) -> None:
    gate, began = asyncio.Event(), 0

    async def deliver(_work: Job) -> str:
        nonlocal began
        began += 1
        await gate.wait()
        return ""

    queue = DeliveryQueue("wx:a", deliver, lambda _work, _result: None, clock=clock)
    assert isinstance(queue.pace, NoPace) and (queue.pace.queue_delay(), queue.pace.key_delay("k")) == (0, 0)
    queue.start()
    for number in range(20):
        queue.push(Job(number, "wx:a", str(number), {}))
    await turns(50)
    assert began == 16
    gate.set()
    await until(lambda: began == 20)
    await queue.stop(1)


async def test_running_job_is_not_started_again(make: Callable[..., Bench]) -> None:
    """Whoever asks to try now what waits: what is being sent does not wait, nor does what comes behind it."""
    bench = make()
    bench.gates["one"] = asyncio.Event()
    work = bench.push("one")
    bench.push("two")
    bench.queue.start()
    bench.queue.wake()
    await turns()
    assert work.state == WorkState.SENDING
    for _ in range(3):
        bench.queue.retry_now()
        bench.queue.wake()
        await turns()
    assert bench.began == ["one"]
    bench.gates["one"].set()
    await until(lambda: bench.began == ["one", "two"])
    assert work.state == WorkState.QUEUED, "its end is the outbox's to say"


async def test_job_counts_as_sending_before_its_task_runs(make: Callable[..., Bench]) -> None:
    bench = make()
    work = bench.push("one")
    bench.queue.start()
    bench.queue._start_what_may_go()
    assert (work.state, bench.began) == (WorkState.SENDING, [])
    bench.queue.retry_now()
    await turns()
    assert bench.began == ["one"]


async def test_waiting_retry_can_be_run_now(make: Callable[..., Bench], clock: Clock) -> None:
    bench = make()
    bench.answers["one"] = [Retry(1000, "away"), Retry(1000, "away", counts=False)]
    work = bench.push("one")
    bench.push("two")
    bench.queue.start()
    await until(lambda: len(bench.ended) == 1)
    assert (work.attempts, work.run_at) == (1, clock.now + 1000)
    await turns()
    assert bench.began == ["one"], "what is behind it waits, too"
    bench.queue.retry_now()
    await until(lambda: len(bench.ended) == 2)
    assert work.attempts == 1, "this one did not count"
    bench.queue.retry_now()
    await until(lambda: bench.began == ["one", "one", "one", "two"])


async def test_scheduled_job_is_not_run_by_retry(make: Callable[..., Bench], clock: Clock) -> None:
    bench = make()
    bench.queue.start()
    bench.push("later", run_at=clock.now + 1000)
    assert len(bench.queue) == 0, "it is not due"
    bench.queue.retry_now()
    bench.push("now")
    await until(lambda: bench.ended)
    await turns()
    assert bench.began == ["now"]


async def test_retry_from_before_restart_keeps_place_and_time(make: Callable[..., Bench], clock: Clock) -> None:
    bench = make()
    bench.queue.start()
    bench.push("tried", run_at=clock.now + 0.15, attempts=1)
    bench.push("behind")
    assert len(bench.queue) == 2
    await turns()
    assert bench.began == []
    await until(lambda: bench.began == ["tried", "behind"])


async def test_queue_and_key_delays_apply(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.pace.keys["slow"] = 0.1
    bench.push("slow", key="slow")
    bench.push("quick", key="quick")
    bench.queue.start()
    await until(lambda: bench.began == ["quick"])
    bench.pace.keys.clear()
    await until(lambda: bench.began == ["quick", "slow"])
    assert bench.pace.spent == ["quick", "slow"]
    bench.pace.queue = 0.1
    bench.push("last")
    await turns()
    assert len(bench.began) == 2
    bench.pace.queue = 0
    await until(lambda: len(bench.began) == 3)


async def test_key_delay_below_a_second_applies(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.pace.keys["k"] = 0.5
    bench.push("one")
    bench.queue.start()
    await turns()
    assert bench.began == []


async def test_priority_of_a_line_is_that_of_its_remaining_jobs(make: Callable[..., Bench]) -> None:
    """Once the reply behind a notice is sent, the line is as urgent as a notice again."""
    bench = make(concurrency=1)
    bench.gates["first"] = asyncio.Event()
    bench.push("first", key="x")
    bench.queue.start()
    await turns()
    bench.push("a reply", key="a", priority=Priority.REPLY)
    bench.push("a notice", key="a", priority=Priority.NOTICE)
    bench.push("b reply", key="b", priority=Priority.REPLY)
    bench.gates["first"].set()
    await until(lambda: len(bench.began) == 4)
    assert bench.began == ["first", "a reply", "b reply", "a notice"]


async def test_broadcasts_have_their_own_line(make: Callable[..., Bench]) -> None:
    bench = make(concurrency=1)
    bench.push("broadcast 1", priority=Priority.BROADCAST)
    bench.push("broadcast 2", priority=Priority.BROADCAST)
    bench.push("notice", priority=Priority.NOTICE)
    bench.push("reply", priority=Priority.REPLY)
    bench.queue.start()
    await until(lambda: len(bench.began) == 4)
    assert bench.began == ["notice", "reply", "broadcast 1", "broadcast 2"]


async def test_failed_delivery_records_the_error_type(make: Callable[..., Bench]) -> None:
    bench = make()

    async def broken(_work: Job) -> str:
        raise LookupError("bug")

    bench.queue._deliver = broken
    bench.push("one")
    bench.queue.start()
    await until(lambda: bench.ended == [("one", GiveUp("LookupError"))])


async def test_long_waits_are_split_into_days(make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    bench, waits = make(), []
    loop = asyncio.get_running_loop()
    later = loop.call_later

    def call_later(seconds: float, then: Callable[..., Any]) -> asyncio.TimerHandle:
        waits.append(seconds)
        return later(0, then)

    monkeypatch.setattr(loop, "call_later", call_later)
    rung: list[bool] = []
    bench.queue._after(2.5 * DAY, lambda: rung.append(True))
    await turns(200)
    assert waits == [DAY, DAY, 0.5 * DAY]
    assert rung == [True]
    assert bench.queue._timers == set(), "what has rung is forgotten"


async def test_stop_starts_no_further_jobs(make: Callable[..., Bench], clock: Clock) -> None:
    bench = make()
    bench.queue.start()
    bench.push("later", run_at=clock.now + 0.05)
    bench.pace.queue = 0.05
    bench.push("paced")
    await turns()
    await bench.queue.stop(0)
    bench.pace.queue = 0
    bench.queue.wake()
    await asyncio.sleep(0.1)
    assert bench.began == []
