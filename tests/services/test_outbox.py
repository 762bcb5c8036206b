"""The outbox: jobs are queued in a transaction, executed after its commit, in order per key, despite crashes."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from models.db import Store
from models.durable import OutboxItem, Priority
from services.work import delivery_queue
from services.work.job import Cancelled, GiveUp, Job, Result, Retry
from services.work.outbox import Outbox
from services.work.outbox_rows import sent_since
from tests.services.clock import Clock
from tests.services.conftest import OpenStore, until

QUEUE = "wx:a"


class OutboxHarness:
    """An outbox with configurable deliveries; a body is {"n": NAME}."""

    def __init__(self, store: Store, clock: Clock, concurrency: int = 16) -> None:
        self.store = store
        self.done: list[str] = []
        self.began: list[str] = []
        self.answers: dict[str, list[Any]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.open = True
        self.failed: list[str] = []
        self.outbox = Outbox(store, clock)
        self.outbox.serve("wx", self.deliver, concurrency=concurrency, is_open=lambda _name: self.open)
        self.outbox.results.on_failed(lambda _session, work, gone: self.failed.append(f"{work.body['n']}: {gone.why}"))

    async def deliver(self, work: Job) -> Result:
        name = work.body["n"]
        self.began.append(name)
        if work.priority == Priority.BROADCAST and not await self.outbox.mark_sending(work):
            return Cancelled()
        if name in self.gates:
            await self.gates[name].wait()
        if self.answers.get(name):
            answer: str | Retry | GiveUp | Exception = self.answers[name].pop(0)
            if isinstance(answer, Exception):
                raise answer
            if not isinstance(answer, str):
                return answer
        self.done.append(name)
        return f"id of {name}"

    def add(self, session: Session, name: str, key: str = "k", **how: Any) -> Job:
        return self.outbox.add(session, QUEUE, key, {"n": name}, **how)

    async def add_jobs(self, *names: str, key: str = "k", **how: Any) -> None:
        for name in names:
            await self.store.write(partial(self.add, name=name, key=key, **how))

    async def start(self) -> None:
        await self.outbox.load()
        await self.outbox.start()

    async def rows(self) -> dict[str, str]:
        items = await self.store.read(lambda s: s.exec(select(OutboxItem)).all())
        return {item.body.split('"')[3]: item.state for item in items}

    async def ended(self, count: int) -> None:
        await until(lambda: len(self.done) == count, f"{count} done, not {self.done}")


StartHarness = Callable[..., Awaitable[OutboxHarness]]


@pytest.fixture
async def start_harness(clock: Clock) -> AsyncIterator[StartHarness]:
    harnesses: list[OutboxHarness] = []

    async def start_one(store: Store, *, start: bool = True, **options: Any) -> OutboxHarness:
        harness = OutboxHarness(store, clock, **options)
        harnesses.append(harness)
        if start:
            await harness.start()
        return harness

    yield start_one
    for harness in harnesses:
        await harness.outbox.stop(0)


@pytest.fixture
async def harness(sqlite_store: Store, start_harness: StartHarness) -> OutboxHarness:
    return await start_harness(sqlite_store)


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
    later = asyncio.create_task(_clock_runs(clock))
    await harness.add_jobs("one", "two")
    await harness.ended(2)
    later.cancel()
    assert harness.began == ["one", "one", "one", "two"]
    assert harness.done == ["one", "two"]


async def test_counted_attempts_survive_restart(open_store: OpenStore, start_harness: StartHarness) -> None:
    first = await start_harness(await open_store())
    first.answers["one"] = [Retry(0, "refused"), Retry(100, "refused")]
    first.answers["two"] = [Retry(100, "offline", counts=False)]
    await first.add_jobs("one", key="x")
    await first.add_jobs("two", "three", key="y")
    await until(lambda: first.began.count("one") == 2 and "two" in first.began)
    await first.outbox.stop(1)
    store = await open_store()
    items = {i.body: i for i in await store.read(lambda s: s.exec(select(OutboxItem)).all())}
    assert items['{"n": "one"}'].attempts == 2
    second = await start_harness(store)
    await second.ended(2)  # an attempt that does not count does not change run_at or the order
    assert second.done == ["two", "three"]
    assert "one" not in second.began, "its wait goes on"


async def test_job_given_up_is_failed_and_reported(harness: OutboxHarness) -> None:
    harness.answers["one"] = [GiveUp("no such person")]
    harness.answers["two"] = [ValueError("bug")]
    await harness.add_jobs("one", "two", "three")
    await harness.ended(1)
    await harness.outbox.stop(1)
    assert await harness.rows() == {"one": "failed", "two": "failed", "three": "sent"}
    assert harness.failed == ["one: no such person", "two: ValueError"]


async def test_unavailable_database_gives_nothing_up(
    harness: OutboxHarness, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(delivery_queue, "DATABASE_AWAY", 0.05)
    away = OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error"))
    harness.answers["one"] = [away, away]
    running = asyncio.create_task(_clock_runs(clock))
    await harness.add_jobs("one", "two", priority=Priority.BROADCAST)
    await harness.ended(2)
    running.cancel()
    await harness.outbox.stop(1)
    assert harness.done == ["one", "two"]
    assert (await harness.rows(), harness.failed) == ({"one": "sent", "two": "sent"}, [])


async def test_scheduled_job_blocks_nothing_and_runs_on_time(harness: OutboxHarness, clock: Clock) -> None:
    await harness.add_jobs("later", run_at=clock.now + 0.3)
    await harness.add_jobs("now")
    await harness.ended(1)
    assert harness.done == ["now"]
    clock.now += 0.3
    await harness.ended(2)
    assert harness.done == ["now", "later"]


async def test_scheduled_job_of_an_earlier_process_runs_on_time(
    open_store: OpenStore, start_harness: StartHarness, clock: Clock
) -> None:
    first = await start_harness(await open_store(), start=False)
    await first.add_jobs("later", run_at=clock.now + 0.3)
    await first.add_jobs("missed", run_at=clock.now + 0.1)
    await first.add_jobs("now")
    clock.now += 0.1
    second = await start_harness(await open_store())
    await second.ended(2)
    assert sorted(second.done) == ["missed", "now"]
    clock.now += 0.2
    await second.ended(3)


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


# ---- restarts ----


async def test_unfinished_jobs_run_first_and_in_order_after_restart(
    open_store: OpenStore, start_harness: StartHarness
) -> None:
    first = await start_harness(await open_store(), start=False)
    await first.add_jobs("one", "two")
    second = await start_harness(await open_store(), start=False)
    await second.outbox.load()
    await second.add_jobs("three")  # queued during the start, e.g. for an event of the inbox
    await second.outbox.start()
    await second.ended(3)
    await asyncio.sleep(0.05)
    assert second.done == ["one", "two", "three"], "each once, in order"


async def test_interrupted_reply_is_resent_and_broadcast_is_not(
    open_store: OpenStore, start_harness: StartHarness
) -> None:
    first = await start_harness(await open_store())
    first.gates = {"reply": asyncio.Event(), "broadcast": asyncio.Event()}
    await first.add_jobs("reply", key="x")
    await first.add_jobs("broadcast", key="y", priority=Priority.BROADCAST)
    await until(lambda: len(first.began) == 2)
    for _ in range(500):
        if (await first.rows())["broadcast"] == "sending":
            break
        await asyncio.sleep(0.01)
    await first.outbox.stop(0)  # like a kill: both are running
    second = await start_harness(await open_store())
    await second.add_jobs("after", key="y", priority=Priority.BROADCAST)
    await second.ended(2)
    assert sorted(second.done) == ["after", "reply"]
    assert second.failed == ["broadcast: interrupted while sending"]
    assert (await second.rows())["broadcast"] == "unknown"


async def test_stop_finishes_and_records_running_jobs(sqlite_store: Store, start_harness: StartHarness) -> None:
    harness = await start_harness(sqlite_store)
    gate = harness.gates["one"] = asyncio.Event()
    await harness.add_jobs("one", "two")
    await until(lambda: harness.began)
    asyncio.get_running_loop().call_later(0.1, gate.set)
    await harness.outbox.stop(5)
    assert await harness.rows() == {"one": "sent", "two": "queued"}


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


async def _clock_runs(clock: Clock) -> None:
    while True:
        await asyncio.sleep(0.01)
        clock.now += 0.01


async def test_lines_take_turns(sqlite_store: Store, start_harness: StartHarness) -> None:
    """Who comes last waits for a turn of each of the others, not for all that they cause; nobody is left out."""
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


# ---- ends that turn out to be none, and what is asked of it ----


async def sent_item(harness: OutboxHarness) -> OutboxItem:
    await harness.add_jobs("one")
    await harness.ended(1)
    await harness.outbox.stop(1)
    return await harness.store.read(lambda s: s.exec(select(OutboxItem)).one())


async def test_sent_but_undelivered_message_is_failed(harness: OutboxHarness) -> None:
    item = await sent_item(harness)
    number = item.id or 0
    assert not await harness.store.write(lambda s: harness.outbox.results.fail_sent(s, number, "wx:b", "gone")), (
        "another queue's"
    )
    assert not await harness.store.write(lambda s: harness.outbox.results.fail_sent(s, 99, QUEUE, "gone"))
    assert await harness.store.write(lambda s: harness.outbox.results.fail_sent(s, number, QUEUE, "gone"))
    assert not await harness.store.write(lambda s: harness.outbox.results.fail_sent(s, number, QUEUE, "gone")), "once"
    kept = await harness.store.read(lambda s: s.get_one(OutboxItem, number))
    assert (kept.state, kept.error) == ("failed", "gone")
    assert harness.failed == ["one: gone"]


async def test_failed_job_is_queued_again(harness: OutboxHarness, clock: Clock) -> None:
    harness.answers["one"] = [Retry(0, "again"), GiveUp("no")]
    await harness.add_jobs("one")
    await until(lambda: harness.failed)
    await until(lambda: not harness.outbox._open)
    item = await harness.store.read(lambda s: s.exec(select(OutboxItem)).one())
    assert (item.state, item.attempts) == ("failed", 1)
    clock.now += 100

    def again(session: Session) -> None:
        harness.outbox.again(session, session.get_one(OutboxItem, item.id))

    await harness.store.write(again)
    await harness.ended(1)
    await until(lambda: not harness.outbox._open)
    kept = await harness.store.read(lambda s: s.get_one(OutboxItem, item.id))
    assert (kept.state, kept.attempts, kept.error, kept.created_at) == ("sent", 0, "", clock.now)


async def test_running_jobs_are_reported_from_memory(harness: OutboxHarness) -> None:
    harness.gates["one"] = asyncio.Event()
    await harness.add_jobs("one")
    await until(lambda: harness.began)
    item = await harness.store.read(lambda s: s.exec(select(OutboxItem)).one())
    assert (item.state, harness.outbox.state_of(item)) == ("queued", "sending")
    assert harness.outbox.waiting() == {QUEUE: 1}
    harness.gates["one"].set()
    await until(lambda: not harness.outbox._open)
    assert harness.outbox.state_of(await harness.store.read(lambda s: s.exec(select(OutboxItem)).one())) == "sent"
    assert harness.outbox.waiting() == {QUEUE: 0}


async def test_time_of_completion_of_a_queue(harness: OutboxHarness, clock: Clock) -> None:
    began = clock.now
    for name in ("one", "two"):
        await harness.add_jobs(name)
        await until(lambda: not harness.outbox._open)
        clock.now += 10
    assert await harness.store.read(lambda s: sent_since(s, QUEUE, began - 1)) == [began, began + 10]
    assert await harness.store.read(lambda s: sent_since(s, QUEUE, began)) == [began + 10]
    assert await harness.store.read(lambda s: sent_since(s, "wx:b", 0)) == []


async def test_interrupted_broadcast_is_reported_failed_and_reply_is_not(
    open_store: OpenStore, start_harness: StartHarness
) -> None:
    first = await start_harness(await open_store(), start=False)
    for name, priority in (("reply", Priority.REPLY), ("broadcast", Priority.BROADCAST)):
        await first.add_jobs(name, priority=priority)

    def cut_off(session: Session) -> None:
        for item in session.exec(select(OutboxItem)):
            item.state = "sending"

    await first.store.write(cut_off)
    second = await start_harness(await open_store())
    await second.ended(1)
    assert second.done == ["reply"]
    assert second.failed == ["broadcast: interrupted while sending"]
    await until(lambda: not second.outbox._open)
    assert await second.rows() == {"reply": "sent", "broadcast": "unknown"}


async def test_results_are_counted(harness: OutboxHarness, clock: Clock) -> None:
    harness.answers |= {"bad": [GiveUp("no")], "again": [Retry(0, "again")]}
    await harness.add_jobs("good", "bad", "again")
    harness.gates["late"] = asyncio.Event()
    await harness.add_jobs("late")
    await until(lambda: "late" in harness.began)
    clock.now += 61
    harness.gates["late"].set()
    await until(lambda: not harness.outbox._open)
    counts = {result.value: number for (_queue, result), number in harness.outbox.results.counts.counts.items()}
    assert counts == {"sent": 2, "failed": 1, "retried": 1, "late": 1}


async def test_refresh_during_completion_does_not_repeat_the_job(store: Store, clock: Clock) -> None:
    harness = OutboxHarness(store, clock)
    await harness.outbox.start()
    harness.gates["1"] = asyncio.Event()
    await store.write(lambda s: harness.add(s, "1"))
    await until(lambda: harness.began, "it is being delivered")
    holds, goes_on = threading.Event(), threading.Event()

    def hold(_session: Session) -> None:
        holds.set()
        goes_on.wait(10)

    held = store.write_soon(hold)
    await asyncio.to_thread(holds.wait, 10)
    refreshing = asyncio.create_task(harness.outbox.refresh("a"))
    await asyncio.sleep(0)  # its read is queued; the end of the delivery comes behind it, into the same commit
    harness.gates["1"].set()
    await until(lambda: harness.done, "it was delivered")
    await asyncio.sleep(0)
    goes_on.set()
    await asyncio.gather(held, refreshing)
    await until(lambda: not harness.outbox.waiting()[QUEUE], "nothing is left to do")
    assert harness.done == ["1"]
    await harness.outbox.stop(1)


# ---- cancelling ----


async def _cancel(harness: OutboxHarness) -> int:
    def write(session: Session) -> int:
        ids = [item.id or 0 for item in session.exec(select(OutboxItem)).all()]
        return harness.outbox.cancel(session, ids, ["a"])

    return await harness.store.write(write)


async def test_unattempted_jobs_are_cancelled(store: Store, start_harness: StartHarness, clock: Clock) -> None:
    """The job that runs is not interrupted; cancelled jobs are neither waited for nor loaded after a restart."""
    harness = await start_harness(store)
    harness.gates["one"] = asyncio.Event()
    await harness.add_jobs("one", "two", priority=Priority.BROADCAST)
    await harness.add_jobs("later", priority=Priority.BROADCAST, run_at=clock() + 3600)
    await until(lambda: harness.began == ["one"], "the first one runs")
    assert await _cancel(harness) == 2
    assert await _cancel(harness) == 0
    assert harness.outbox.waiting() == {QUEUE: 1}
    await harness.add_jobs("three", priority=Priority.BROADCAST)
    harness.gates["one"].set()
    await harness.ended(2)
    await harness.outbox.stop(1)
    assert await harness.rows() == {"one": "sent", "two": "cancelled", "later": "cancelled", "three": "sent"}
    assert harness.failed == []
    again = await start_harness(store)
    assert again.outbox.waiting() == {}


async def test_job_cancelled_while_running_is_not_retried(harness: OutboxHarness) -> None:
    harness.gates["one"] = asyncio.Event()
    harness.answers["one"] = [Retry(0, "too fast")]
    await harness.add_jobs("one", priority=Priority.BROADCAST)
    await until(lambda: harness.began == ["one"], "it runs")
    assert await _cancel(harness) == 0
    harness.gates["one"].set()
    await until(lambda: len(harness.began) == 2 and not harness.outbox.waiting()[QUEUE], "it is over")
    await harness.outbox.stop(1)
    assert harness.done == []
    assert await harness.rows() == {"one": "cancelled"}


async def test_job_cancelled_by_another_process_is_not_sent(
    store: Store, start_harness: StartHarness, clock: Clock
) -> None:
    """Its holder drops it on the notification, and checks again before sending."""
    holder = await start_harness(store)
    holder.open = False
    await holder.add_jobs("one", priority=Priority.BROADCAST)
    other = await start_harness(store, start=False)
    assert await _cancel(other) == 1
    await holder.outbox.refresh("a")
    assert holder.outbox.waiting() == {QUEUE: 0}
    await holder.add_jobs("two", priority=Priority.BROADCAST)
    assert await _cancel(other) == 1
    holder.open = True
    holder.outbox.wake(QUEUE)
    await until(lambda: holder.began == ["two"] and not holder.outbox.waiting()[QUEUE], "its turn came")
    assert holder.done == []
