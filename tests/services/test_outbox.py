"""The outbox: jobs are queued in a transaction, executed after its commit, in order per key, despite crashes."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from models.db import Store
from models.durable import OutboxItem, Priority
from services.work.job import GiveUp, Retry
from services.work.outbox import Outbox
from tests.services.clock import Clock
from tests.services.outbox_harness import QUEUE, OutboxHarness, StartHarness, harness, run_clock, start_harness
from tests.waiting import until

__all__ = ["harness", "start_harness"]


async def test_committed_job_is_executed_once(store: Store, start_harness: StartHarness) -> None:
    harness = await start_harness(store)
    await harness.add_jobs("one")
    await harness.ended(1)
    await harness.outbox.stop(1)
    (item,) = await store.read(lambda s: s.exec(select(OutboxItem)).all())
    assert (item.state, item.result) == ("sent", "id of one")
    assert item.done_at is not None


async def test_job_of_a_failed_transaction_is_not_executed(harness: OutboxHarness) -> None:
    def write(session: Session) -> None:
        harness.add(session, "one")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await harness.store.write(write)
    await harness.add_jobs("two")
    await harness.ended(1)
    assert harness.done == ["two"]
    assert list(await harness.rows()) == ["two"]


async def test_order_per_key_and_concurrency_across_keys(harness: OutboxHarness) -> None:
    harness.gates = {"x0": asyncio.Event()}

    def write(session: Session) -> None:
        for i in range(10):
            harness.add(session, f"x{i}", "x")
            harness.add(session, f"y{i}", "y")

    await harness.store.write(write)
    await harness.ended(10)
    assert harness.done == [f"y{i}" for i in range(10)]
    harness.gates["x0"].set()
    await harness.ended(20)
    assert [n for n in harness.done if n[0] == "x"] == [f"x{i}" for i in range(10)]


async def test_most_urgent_job_runs_first(sqlite_store: Store, start_harness: StartHarness) -> None:
    harness = await start_harness(sqlite_store, start=False, concurrency=1)
    await harness.add_jobs("broadcast", key="a", priority=Priority.BROADCAST)
    await harness.add_jobs("notice", key="b", priority=Priority.NOTICE)
    await harness.add_jobs("reply", key="c", priority=Priority.REPLY)
    await harness.start()
    await harness.ended(3)
    assert harness.done == ["reply", "notice", "broadcast"]


async def test_reply_overtakes_broadcasts_to_its_group(sqlite_store: Store, start_harness: StartHarness) -> None:
    harness = await start_harness(sqlite_store, start=False, concurrency=1)
    await harness.add_jobs("b1", "b2", key="g", priority=Priority.BROADCAST)
    await harness.add_jobs("other", key="h", priority=Priority.NOTICE)
    await harness.add_jobs("reply", key="g", priority=Priority.REPLY)
    await harness.start()
    await harness.ended(4)
    assert harness.done == ["reply", "other", "b1", "b2"]


async def test_notice_before_a_reply_inherits_its_priority(sqlite_store: Store, start_harness: StartHarness) -> None:
    harness = await start_harness(sqlite_store, start=False, concurrency=1)
    await harness.add_jobs("far", key="h", priority=Priority.NOTICE)
    await harness.add_jobs("welcome", key="g", priority=Priority.NOTICE)
    await harness.add_jobs("reply", key="g", priority=Priority.REPLY)
    await harness.start()
    await harness.ended(3)
    assert harness.done == ["welcome", "reply", "far"]


async def test_retry_keeps_its_place(harness: OutboxHarness, clock: Clock) -> None:
    harness.answers["one"] = [Retry(0.05, "busy"), Retry(0.05, "busy")]
    later = asyncio.create_task(run_clock(clock))
    await harness.add_jobs("one", "two")
    await harness.ended(2)
    later.cancel()
    assert harness.began == ["one", "one", "one", "two"]
    assert harness.done == ["one", "two"]


async def test_job_given_up_is_failed_and_reported(harness: OutboxHarness) -> None:
    harness.answers["one"] = [GiveUp("no such person")]
    harness.answers["two"] = [ValueError("bug")]
    await harness.add_jobs("one", "two", "three")
    await harness.ended(1)
    await harness.outbox.stop(1)
    assert await harness.rows() == {"one": "failed", "two": "failed", "three": "sent"}
    assert harness.failed == ["one: no such person", "two: ValueError"]


async def test_scheduled_job_blocks_nothing_and_runs_on_time(harness: OutboxHarness, clock: Clock) -> None:
    await harness.add_jobs("later", run_at=clock.now + 0.3)
    await harness.add_jobs("now")
    await harness.ended(1)
    assert harness.done == ["now"]
    clock.now += 0.3
    await harness.ended(2)
    assert harness.done == ["now", "later"]


async def test_clock_set_back_delays_nobody(harness: OutboxHarness, clock: Clock) -> None:
    harness.answers["one"] = [Retry(0.2, "offline", counts=False), Retry(0.2, "refused")]
    await harness.add_jobs("one", key="x")
    await harness.add_jobs("two", key="y", run_at=clock.now + 0.2)
    await until(lambda: harness.began)
    clock.now -= 8 * 3600
    await harness.ended(2)
    assert sorted(harness.done) == ["one", "two"]


async def test_closed_queue_waits_until_woken(harness: OutboxHarness) -> None:
    harness.open = False
    await harness.add_jobs("one")
    await asyncio.sleep(0.05)
    assert harness.began == []
    harness.open = True
    harness.outbox.wake_account("a")
    await harness.ended(1)


async def test_job_of_a_removed_account_waits_and_blocks_nothing(
    sqlite_store: Store, start_harness: StartHarness, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    old = Outbox(sqlite_store, clock)
    old.serve("fax", lambda _work: asyncio.sleep(0, "sent"), is_open=lambda _name: False)
    await sqlite_store.write(lambda s: old.add(s, "fax:1", "k", {"n": "x"}))
    harness = await start_harness(sqlite_store)
    assert "queue fax:1 has no worker" in caplog.text
    await harness.add_jobs("one")
    await harness.ended(1)
    assert (await harness.rows())["x"] == "queued"


async def test_one_key_is_one_job(store: Store, start_harness: StartHarness) -> None:
    harness = await start_harness(store)
    await harness.add_jobs("one", idempotency_key="id-1")
    with pytest.raises(Exception, match=r"(?i)unique"):
        await harness.add_jobs("two", idempotency_key="id-1")
    await harness.ended(1)
    assert harness.done == ["one"]


async def test_age_of_the_oldest_job(harness: OutboxHarness, clock: Clock) -> None:
    harness.open = False
    await harness.add_jobs("one")
    clock.now += 30
    await harness.add_jobs("two")
    await harness.add_jobs("timed", run_at=clock.now + 3600)
    assert harness.outbox.waiting() == {QUEUE: 2}
    assert harness.outbox.oldest(QUEUE) == 30
    assert harness.outbox.oldest("wx:nobody") == 0


async def test_thousand_jobs_share_commits(harness: OutboxHarness) -> None:
    def write(session: Session) -> None:
        for i in range(1000):
            harness.add(session, f"n{i}", f"k{i % 50}")

    await harness.store.write(write)
    await harness.ended(1000)
    await harness.outbox.stop(1)
    left = await harness.store.read(
        lambda s: s.connection().execute(text("select count(*) from outboxitem where state != 'sent'")).scalar()
    )
    assert left == 0


async def test_lines_take_turns(sqlite_store: Store, start_harness: StartHarness) -> None:
    """The last line waits for one turn of each other line, not for all of their jobs."""
    harness = await start_harness(sqlite_store, start=False, concurrency=1)
    crowd = "abcde"
    for key in crowd:
        await harness.add_jobs(*(f"{key}{n:02}" for n in range(20)), key=key)
    harness.gates = {"c10": asyncio.Event()}
    await harness.start()
    await until(lambda: "c10" in harness.began, "half of it")
    await harness.add_jobs("customer", key="z")
    before = len(harness.began)
    harness.gates["c10"].set()
    await harness.ended(101)
    assert harness.began.index("customer") <= before + len(crowd)
    latest = {key: harness.began.index(f"{key}10") for key in crowd}
    assert max(latest.values()) - min(latest.values()) <= len(crowd), "each has had as many turns"
