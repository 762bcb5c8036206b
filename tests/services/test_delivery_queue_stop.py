"""The end of a queue: accounts that move, deliveries that hang, and timers."""

from __future__ import annotations

import asyncio

from services.work.job import Job, Retry
from tests.services.clock import Clock
from tests.services.queue_harness import Make, drop, make, run_loop, running
from tests.waiting import until

__all__ = ["make"]


# ---- an account that moves to another process ----


async def test_jobs_of_an_account_are_discarded(make: Make) -> None:
    harness = make()
    running(harness, "a1", "a2", "b1")
    mine = [harness.push(name, key=name[:2], account="a") for name in ("a1", "a1 behind", "a2")]
    harness.push("b1", key="b1", account="b")
    await run_loop()
    drop(*mine)
    discarding = asyncio.create_task(harness.queue.discard("a", 1000))
    await run_loop()
    assert not discarding.done()
    harness.gates["a1"].set()
    harness.gates["a2"].set()
    await discarding
    assert [name for name, _ in harness.ended] == ["a1", "a2"]
    assert len(harness.queue) == 1, "the other account's delivery goes on"
    await harness.queue.discard("none", 1000)
    harness.gates["b1"].set()
    await until(lambda: len(harness.ended) == 3)


async def test_deliveries_that_hang_are_cancelled(make: Make) -> None:
    harness = make()
    running(harness, "a1")
    job = harness.push("a1", account="a")
    await run_loop()
    drop(job)
    await harness.queue.discard("a", 0.01)
    assert (len(harness.queue), harness.ended) == (0, [])
    assert harness.queue._slots == 16, "its place is free"


async def test_deliveries_behind_which_other_accounts_wait_are_discarded(make: Make) -> None:
    """A webhook's line holds jobs of several accounts."""
    harness = make()
    running(harness, "a1")
    job = harness.push("a1", account="a")
    harness.push("b1", account="b")
    await run_loop()
    drop(job)
    await harness.queue.discard("b", 1000)
    assert harness.ended == [], "the running one is another account's"
    await harness.queue.discard("a", 0)
    assert len(harness.queue) == 1, "only what is behind it"


async def test_retried_job_of_an_account_that_moves_is_not_offered_again(make: Make) -> None:
    harness = make()
    harness.answers["a1"] = [Retry(1000, "busy")]
    running(harness, "a1")
    job = harness.push("a1", account="a")
    harness.push("b1", account="b")
    await run_loop()
    drop(job)
    harness.gates["a1"].set()
    await run_loop()
    assert harness.began == ["a1", "b1"], "the other account's is not held up by it"


# ---- stopping ----


async def test_running_deliveries_end_within_the_grace(make: Make) -> None:
    harness = make()
    running(harness, "one", "hangs")
    harness.push("one")
    harness.push("hangs", key="h")
    await run_loop()
    harness.gates["one"].set()
    await harness.queue.stop(0.05)
    assert [name for name, _ in harness.ended] == ["one"]
    await run_loop()
    assert harness.queue._running == set()
    harness.push("late", key="l")
    await run_loop()
    assert "late" not in harness.began


async def test_cancelled_deliveries_have_ended_when_the_queue_stops(make: Make) -> None:
    harness = make()
    ended: list[str] = []

    async def deliver(work: Job) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(work.body["n"])
        return "done"

    harness.queue._deliver = deliver
    harness.push("one")
    harness.queue.start()
    await run_loop()
    await harness.queue.stop(0)
    assert (ended, harness.ended) == (["one"], [])


async def test_timers_end_with_the_queue(make: Make, clock: Clock) -> None:
    harness = make()
    harness.pace.queue = 1000
    harness.push("paced")
    harness.push("later", run_at=clock.now + 1000)
    harness.queue.start()
    await run_loop()
    timers = [*harness.queue._timers, harness.queue._dispatch_timer]
    assert len(timers) == 2 and not any(timer and timer.cancelled() for timer in timers)
    await harness.queue.stop(0)
    assert all(timer and timer.cancelled() for timer in timers)
