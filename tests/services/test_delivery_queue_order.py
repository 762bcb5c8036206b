"""The order of a queue: no job runs twice at once, and lines of the same priority take turns."""

from __future__ import annotations

import pytest

from models.durable import Priority
from services.work.job import Retry
from tests.services.clock import Clock
from tests.services.queue_harness import LongWaits, Make, QueueHarness, drop, long_waits, make, run_loop, running
from tests.waiting import until

__all__ = ["long_waits", "make"]


def release(harness: QueueHarness, name: str) -> None:
    harness.gates[name].set()


# ---- no job runs twice at once ----


@pytest.mark.parametrize("started_first", [True, False])
async def test_more_urgent_job_does_not_start_the_line_twice(make: Make, *, started_first: bool) -> None:
    harness = make()
    harness.push("notice", priority=Priority.NOTICE)
    if started_first:
        running(harness, "notice")
        await run_loop()
        harness.push("reply")
    else:
        harness.push("reply")
        running(harness, "notice")
    await run_loop()
    assert harness.began == ["notice"]
    release(harness, "notice")
    await until(lambda: len(harness.ended) == 2)
    assert harness.began == ["notice", "reply"]


async def test_more_urgent_job_does_not_end_the_wait_of_a_retry(make: Make) -> None:
    harness = make()
    harness.answers["notice"] = [Retry(1000, "busy")]
    harness.push("notice", priority=Priority.NOTICE)
    harness.queue.start()
    await until(lambda: harness.ended)
    harness.push("reply")
    await run_loop()
    assert harness.began == ["notice"]


async def test_wait_of_a_dropped_job_does_not_start_the_running_one_again(make: Make, long_waits: LongWaits) -> None:
    harness = make()
    harness.answers["one"] = [Retry(1000, "busy")]
    first = harness.push("one")
    harness.push("two")
    running(harness, "two")
    await until(lambda: harness.ended)
    drop(first)
    harness.queue.forget_dropped()
    await run_loop()
    assert harness.began == ["one", "two"]
    long_waits.end_first()
    await run_loop()
    assert harness.began == ["one", "two"]


async def test_wait_that_was_cut_short_does_not_start_the_job_again(make: Make, long_waits: LongWaits) -> None:
    harness = make()
    harness.answers["one"] = [Retry(1000, "busy")]
    harness.push("one")
    harness.queue.start()
    await until(lambda: harness.ended)
    running(harness, "one")
    harness.queue.retry_now()
    await run_loop()
    assert harness.began == ["one", "one"]
    long_waits.end_first()
    await run_loop()
    assert harness.began == ["one", "one"]


async def test_line_without_jobs_is_not_started(make: Make) -> None:
    harness = make()
    only = harness.push("only", key="x")
    harness.push("other", key="o")
    drop(only)
    harness.queue.forget_dropped()
    harness.queue.start()
    await until(lambda: harness.ended)
    await run_loop()
    assert (harness.began, harness.pace.spent) == (["other"], ["o"])


# ---- turns and times ----


async def test_reply_behind_a_notice_raises_its_line(make: Make) -> None:
    harness = make(concurrency=1)
    harness.push("notice", key="a", priority=Priority.NOTICE)
    harness.push("other reply", key="b")
    harness.push("reply", key="a")
    harness.queue.start()
    await until(lambda: len(harness.ended) == 3)
    assert harness.began == ["notice", "other reply", "reply"]


async def test_retries_start_at_once_when_the_account_is_online_again(make: Make) -> None:
    harness = make()
    harness.answers["one"] = [Retry(1000, "away")]
    harness.push("one")
    harness.queue.start()
    await until(lambda: harness.ended)
    harness.queue.retry_now()
    await run_loop()
    assert harness.began == ["one", "one"]


async def test_new_key_alternates_with_the_backlog_of_another(make: Make) -> None:
    """It is not behind all of the backlog, nor is the backlog behind all of it."""
    harness = make(concurrency=1)
    for number in range(5):
        harness.push(f"a{number}", key="a")
    running(harness, "a3")
    await until(lambda: "a3" in harness.began)
    for number in range(3):
        harness.push(f"b{number}", key="b")
    release(harness, "a3")
    await until(lambda: len(harness.ended) == 8)
    assert harness.began == ["a0", "a1", "a2", "a3", "b0", "a4", "b1", "b2"]


async def test_older_job_goes_first_within_a_turn(make: Make) -> None:
    harness = make(concurrency=1)
    for name in ("a0", "b0", "a1", "b1", "a2"):
        harness.push(name, key=name[0])
    harness.queue.start()
    await until(lambda: len(harness.ended) == 5)
    assert harness.began == ["a0", "b0", "a1", "b1", "a2"]


async def test_due_job_is_queued_at_once(make: Make, clock: Clock) -> None:
    harness = make()
    for number, seconds in enumerate((0.0, 0.5, 100.0), 1):
        harness.push(f"due {seconds} s ago", run_at=clock.now - seconds)
        assert len(harness.queue) == number
    harness.push("later", run_at=clock.now + 0.5)
    assert len(harness.queue) == 3


async def test_many_new_jobs_are_looked_at_once(make: Make) -> None:
    harness = make()
    looks: list[int] = []

    def look() -> float:
        looks.append(len(harness.queue))
        return 1000

    harness.pace.queue_delay = look  # type: ignore[method-assign]
    harness.queue.start()
    for number in range(100):
        harness.push(f"{number}", key=f"{number}")
    await run_loop()
    assert looks == [100]
