"""A single queue: order, priorities and waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from models.durable import Priority, WorkState
from services.work.delivery_queue import DeliveryQueue
from services.work.job import GiveUp, Job, Retry
from services.work.pace import NoPace
from tests.services.clock import Clock
from tests.services.queue_harness import LongWaits, Make, long_waits, make, run_loop
from tests.waiting import until

DAY = 86400.0


__all__ = ["long_waits", "make"]


async def test_nothing_runs_before_start_or_while_closed(make: Make) -> None:
    harness = make()
    harness.push("one")
    harness.queue.wake()
    await run_loop()
    assert harness.began == []
    harness.is_open = False
    harness.queue.start()
    await run_loop()
    assert harness.began == []
    harness.is_open = True
    harness.queue.wake()
    await until(lambda: harness.ended == [("one", "done")])
    assert len(harness.queue) == 0


async def test_concurrency_is_limited(make: Make) -> None:
    harness = make(concurrency=2)
    for name in "abc":
        harness.gates[name] = asyncio.Event()
        harness.push(name, key=name)
    harness.queue.start()
    await run_loop()
    assert harness.began == ["a", "b"]
    assert len(harness.queue) == 3
    harness.gates["b"].set()
    await until(lambda: harness.began == ["a", "b", "c"])


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
    await run_loop(50)
    assert began == 16
    gate.set()
    await until(lambda: began == 20)
    await queue.stop(1)


async def test_running_job_is_not_started_again(make: Make) -> None:
    """retry_now() affects neither the running job nor the jobs behind it."""
    harness = make()
    harness.gates["one"] = asyncio.Event()
    work = harness.push("one")
    harness.push("two")
    harness.queue.start()
    harness.queue.wake()
    await run_loop()
    assert work.state == WorkState.SENDING
    for _ in range(3):
        harness.queue.retry_now()
        harness.queue.wake()
        await run_loop()
    assert harness.began == ["one"]
    harness.gates["one"].set()
    await until(lambda: harness.began == ["one", "two"])
    assert work.state == WorkState.QUEUED, "its end is the outbox's to say"


async def test_job_counts_as_sending_before_its_task_runs(make: Make) -> None:
    harness = make()
    work = harness.push("one")
    harness.queue.start()
    harness.queue._dispatch()
    assert (work.state, harness.began) == (WorkState.SENDING, [])
    harness.queue.retry_now()
    await run_loop()
    assert harness.began == ["one"]


async def test_waiting_retry_can_be_run_now(make: Make, clock: Clock) -> None:
    harness = make()
    harness.answers["one"] = [Retry(1000, "away"), Retry(1000, "away", counts=False)]
    work = harness.push("one")
    harness.push("two")
    harness.queue.start()
    await until(lambda: len(harness.ended) == 1)
    assert (work.attempts, work.run_at) == (1, clock.now + 1000)
    await run_loop()
    assert harness.began == ["one"], "what is behind it waits, too"
    harness.queue.retry_now()
    await until(lambda: len(harness.ended) == 2)
    assert work.attempts == 1, "this one did not count"
    harness.queue.retry_now()
    await until(lambda: harness.began == ["one", "one", "one", "two"])


async def test_scheduled_job_is_not_run_by_retry(make: Make, clock: Clock) -> None:
    harness = make()
    harness.queue.start()
    harness.push("later", run_at=clock.now + 1000)
    assert len(harness.queue) == 0, "it is not due"
    harness.queue.retry_now()
    harness.push("now")
    await until(lambda: harness.ended)
    await run_loop()
    assert harness.began == ["now"]


async def test_retry_from_before_restart_keeps_place_and_time(make: Make, clock: Clock, long_waits: LongWaits) -> None:
    harness = make()
    harness.queue.start()
    harness.push("tried", run_at=clock.now + 1000, attempts=1)
    harness.push("behind")
    assert len(harness.queue) == 2
    await run_loop()
    assert harness.began == []
    long_waits.end_first()
    await until(lambda: harness.began == ["tried", "behind"])


async def test_queue_and_key_delays_apply(make: Make) -> None:
    harness = make()
    harness.pace.keys["slow"] = 0.1
    harness.push("slow", key="slow")
    harness.push("quick", key="quick")
    harness.queue.start()
    await until(lambda: harness.began == ["quick"])
    harness.pace.keys.clear()
    await until(lambda: harness.began == ["quick", "slow"])
    assert harness.pace.spent == ["quick", "slow"]
    harness.pace.queue = 0.1
    harness.push("last")
    await run_loop()
    assert len(harness.began) == 2
    harness.pace.queue = 0
    await until(lambda: len(harness.began) == 3)


async def test_key_delay_below_a_second_applies(make: Make) -> None:
    harness = make()
    harness.pace.keys["k"] = 0.5
    harness.push("one")
    harness.queue.start()
    await run_loop()
    assert harness.began == []


async def test_priority_of_a_line_is_that_of_its_remaining_jobs(make: Make) -> None:
    """Once the reply behind a notice is sent, the line has the notice's priority again."""
    harness = make(concurrency=1)
    harness.gates["first"] = asyncio.Event()
    harness.push("first", key="x")
    harness.queue.start()
    await run_loop()
    harness.push("a reply", key="a", priority=Priority.REPLY)
    harness.push("a notice", key="a", priority=Priority.NOTICE)
    harness.push("b reply", key="b", priority=Priority.REPLY)
    harness.push("b second", key="b", priority=Priority.REPLY)
    harness.gates["first"].set()
    await until(lambda: len(harness.began) == 5)
    assert harness.began == ["first", "a reply", "b reply", "b second", "a notice"]


async def test_broadcasts_have_their_own_line(make: Make) -> None:
    harness = make(concurrency=1)
    harness.push("broadcast 1", priority=Priority.BROADCAST)
    harness.push("broadcast 2", priority=Priority.BROADCAST)
    harness.push("notice", priority=Priority.NOTICE)
    harness.push("reply", priority=Priority.REPLY)
    harness.queue.start()
    await until(lambda: len(harness.began) == 4)
    assert harness.began == ["notice", "reply", "broadcast 1", "broadcast 2"]


async def test_failed_delivery_records_the_error_type(make: Make) -> None:
    harness = make()

    async def broken(_work: Job) -> str:
        raise LookupError("bug")

    harness.queue._deliver = broken
    harness.push("one")
    harness.queue.start()
    await until(lambda: harness.ended == [("one", GiveUp("LookupError"))])


async def test_long_waits_are_split_into_days(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    harness, waits = make(), []
    loop = asyncio.get_running_loop()
    later = loop.call_later

    def call_later(seconds: float, then: Callable[..., Any]) -> asyncio.TimerHandle:
        waits.append(seconds)
        return later(0, then)

    monkeypatch.setattr(loop, "call_later", call_later)
    rung: list[bool] = []
    harness.queue._after(2.5 * DAY, lambda: rung.append(True))
    await run_loop(200)
    assert waits == [DAY, DAY, 0.5 * DAY]
    assert rung == [True]
    assert harness.queue._timers == set(), "what has rung is forgotten"


async def test_stop_starts_no_further_jobs(make: Make, clock: Clock) -> None:
    harness = make()
    harness.queue.start()
    harness.push("later", run_at=clock.now + 0.05)
    harness.pace.queue = 0.05
    harness.push("paced")
    await run_loop()
    await harness.queue.stop(0)
    harness.pace.queue = 0
    harness.queue.wake()
    await asyncio.sleep(0.1)
    assert harness.began == []
