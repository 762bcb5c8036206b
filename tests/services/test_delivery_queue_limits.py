"""A single queue: jobs that are dropped or taken out, and waits."""

from __future__ import annotations

import asyncio

from sqlalchemy.exc import OperationalError

from models.durable import Priority, WorkState
from services.work.job import GiveUp, Job, Retry
from services.work.pace import NoPace
from tests.services.clock import Clock
from tests.services.queue_harness import LongWaits, Make, drop, long_waits, make, run_loop, running
from tests.waiting import until

__all__ = ["long_waits", "make"]


AWAY = OperationalError("", {}, Exception("away"))


# ---- jobs that are dropped or taken out ----


async def test_dropped_jobs_are_forgotten(make: Make) -> None:
    harness = make()
    jobs = [harness.push(name) for name in ("one", "two", "three")]
    other = harness.push("other", key="o")
    drop(jobs[1], other)
    harness.queue.forget_dropped()
    assert len(harness.queue) == 2
    harness.queue.start()
    await until(lambda: harness.began == ["one", "three"])
    await run_loop()
    assert harness.queue._key_queues == {}


async def test_next_job_begins_when_the_first_is_dropped(make: Make) -> None:
    harness = make()
    harness.answers["one"] = [Retry(1000, "busy")]
    first = harness.push("one")
    harness.push("two")
    harness.queue.start()
    await until(lambda: harness.ended)
    drop(first)
    harness.queue.forget_dropped()
    await until(lambda: harness.began == ["one", "two"])


async def test_wait_of_a_dropped_job_does_not_start_another(make: Make, long_waits: LongWaits) -> None:
    harness = make()
    harness.answers |= {"one": [Retry(1000, "busy")], "two": [Retry(2000, "busy")]}
    first = harness.push("one")
    harness.push("two")
    harness.queue.start()
    await until(lambda: harness.ended)
    drop(first)
    harness.queue.forget_dropped()
    await until(lambda: len(harness.ended) == 2)
    long_waits.end_first()
    await run_loop()
    assert harness.began == ["one", "two"]
    long_waits.end_first()
    await run_loop()
    assert harness.began == ["one", "two", "two"]


async def test_dropped_reply_no_longer_raises_the_priority(make: Make) -> None:
    harness = make(concurrency=1)
    harness.push("notice a", key="a", priority=Priority.NOTICE)
    reply = harness.push("reply a", key="a")
    harness.push("notice b", key="b", priority=Priority.NOTICE)
    second = harness.push("notice 2a", key="a", priority=Priority.NOTICE)
    drop(reply)
    harness.queue.forget_dropped()
    assert list(harness.queue._key_queues[("a", False)].kinds) == [Priority.NOTICE]
    harness.queue.start()
    await until(lambda: len(harness.began) == 3)
    assert second.state == WorkState.QUEUED


async def test_dropped_job_is_not_added(make: Make, clock: Clock) -> None:
    harness = make()
    harness.queue.start()
    later = harness.push("later", run_at=clock.now + 0.02)
    drop(later)
    await asyncio.sleep(0.05)
    harness.push("now")
    await until(lambda: harness.began == ["now"])
    assert len(harness.queue) <= 1


async def test_jobs_behind_a_running_one(make: Make) -> None:
    harness = make()
    running(harness, "one")
    one, two, three = (harness.push(name) for name in ("one", "two", "three"))
    broadcast = harness.push("broadcast", priority=Priority.BROADCAST)
    other = harness.push("other", key="o")
    await run_loop()
    assert harness.queue.jobs_behind(one) == [two, three]
    assert harness.queue.jobs_behind(two) == [], "it is not the first"
    assert harness.queue.jobs_behind(broadcast) == []
    assert harness.queue.jobs_behind(other) == []
    harness.queue.remove([three, Job(99, "wx:a", "unknown", {})])
    assert three.dropped and harness.queue.jobs_behind(one) == [two]
    harness.gates["one"].set()
    await until(lambda: len(harness.ended) == 4)
    assert "three" not in harness.began


# ---- waits ----


async def test_new_look_replaces_the_waiting_one(make: Make) -> None:
    harness = make()
    harness.pace.queue = 1000
    harness.push("one")
    harness.queue.start()
    await run_loop()
    first = harness.queue._dispatch_timer
    assert first is not None
    harness.queue.wake()
    harness.queue.wake()
    await run_loop()
    assert first.cancelled() and harness.queue._dispatch_timer is not first
    harness.pace.queue = 0
    harness.queue.wake()
    await until(lambda: harness.began == ["one"])
    assert harness.queue._dispatch_timer is None


async def test_job_whose_time_has_come_begins_at_once(make: Make, clock: Clock) -> None:
    harness = make()
    harness.queue.start()
    harness.push("due", run_at=clock.now)
    harness.push("past", key="p", run_at=clock.now - 100, attempts=2)
    harness.push("later", key="l", run_at=clock.now + 1000)
    harness.push("waits", key="w", run_at=clock.now + 1000, attempts=1)
    await until(lambda: sorted(harness.began) == ["due", "past"])
    await run_loop()
    assert len(harness.queue) == 1, "one waits in line, the other is not in line yet"


async def test_retry_sets_time_and_attempts(make: Make, clock: Clock) -> None:
    harness = make()
    harness.answers["one"] = [Retry(5, "busy"), Retry(7, "away", counts=False)]
    job = harness.push("one")
    harness.queue.start()
    await until(lambda: len(harness.ended) == 1)
    assert (job.attempts, job.run_at, job.state) == (1, clock.now + 5, WorkState.QUEUED)
    harness.queue.retry_now()
    await until(lambda: len(harness.ended) == 2)
    assert (job.attempts, job.run_at) == (1, clock.now + 7)
    assert len(harness.queue) == 1


async def test_unavailable_database_is_retried_in_two_seconds(make: Make, clock: Clock) -> None:
    harness = make()

    async def away(_job: Job) -> str:
        raise AWAY

    harness.queue._deliver = away
    job = harness.push("one")
    harness.queue.start()
    await until(lambda: harness.ended)
    assert harness.ended == [("one", Retry(2.0, "the database is unavailable", counts=False))]
    assert (job.attempts, job.run_at) == (0, clock.now + 2.0)


async def test_waiting_conversation_delays_no_other(make: Make) -> None:
    harness = make(concurrency=1)
    harness.pace.keys["slow"] = 0.05
    harness.push("slow", key="slow")
    harness.push("quick 1", key="q")
    harness.push("quick 2", key="q")
    harness.queue.start()
    await until(lambda: len(harness.began) == 2)
    assert harness.began == ["quick 1", "quick 2"]
    harness.pace.keys.clear()
    await until(lambda: len(harness.began) == 3)
    assert harness.pace.spent == ["q", "q", "slow"]


async def test_conversation_is_offered_once(make: Make) -> None:
    """A more urgent job behind the first one offers the line again; the older offer does not count."""
    harness = make(concurrency=1)
    harness.push("notice", key="a", priority=Priority.NOTICE)
    harness.push("reply", key="a")
    harness.push("other", key="b", priority=Priority.NOTICE)
    harness.queue.start()
    await until(lambda: len(harness.ended) == 3)
    assert harness.began == ["notice", "reply", "other"]
    assert harness.queue._ready == []


async def test_lines_of_one_priority_take_turns(make: Make) -> None:
    harness = make(concurrency=1)
    for key in "ab":
        for number in range(3):
            harness.push(f"{key}{number}", key=key)
    harness.queue.start()
    await until(lambda: len(harness.ended) == 6)
    assert harness.began == ["a0", "b0", "a1", "b1", "a2", "b2"]
    for name in ("c0", "c1", "d0"):
        harness.push(name, key=name[0])
    await until(lambda: len(harness.ended) == 9)
    assert harness.began[6:] == ["c0", "d0", "c1"], "a new line is not ahead of the others"


async def test_failed_job_makes_room_for_the_next(make: Make) -> None:
    harness = make(concurrency=1)
    harness.answers["one"] = [GiveUp("no")]
    harness.push("one")
    harness.push("two")
    harness.queue.start()
    await until(lambda: len(harness.ended) == 2)
    assert harness.ended == [("one", GiveUp("no")), ("two", "done")]


def test_no_pace_is_no_delay() -> None:
    pace = NoPace()
    pace.spend("k")
    assert (pace.queue_delay(), pace.key_delay("k")) == (0, 0)
