"""Results of jobs, failed and cancelled ones."""

from __future__ import annotations

import asyncio
import threading

from sqlmodel import Session, select

from models.db import Store
from models.durable import OutboxItem, Priority
from services.work.job import GiveUp, Retry
from services.work.outbox_rows import sent_since
from tests.services.clock import Clock
from tests.services.outbox_harness import QUEUE, OutboxHarness, StartHarness, harness, start_harness
from tests.waiting import until

__all__ = ["harness", "start_harness"]


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
        harness.outbox.requeue(session, session.get_one(OutboxItem, item.id))

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
    assert await harness.store.read(lambda s: sent_since(s, [QUEUE], began - 1)) == {QUEUE: [began, began + 10]}
    assert await harness.store.read(lambda s: sent_since(s, [QUEUE, "wx:b"], began)) == {
        QUEUE: [began + 10],
        "wx:b": [],
    }


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
    await harness.outbox.load(["a"])
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
    await holder.outbox.load(["a"])
    holder.open = False
    await holder.add_jobs("one", priority=Priority.BROADCAST)
    other = await start_harness(store, start=False)
    assert await _cancel(other) == 1
    await holder.outbox.refresh("a")
    assert holder.outbox.waiting() == {QUEUE: 0}
    await holder.add_jobs("two", priority=Priority.BROADCAST)
    assert await _cancel(other) == 1
    holder.open = True
    holder.outbox.wake_account("a")
    await until(lambda: holder.began == ["two"] and not holder.outbox.waiting()[QUEUE], "its turn came")
    assert holder.done == []


async def test_jobs_of_others_stay_when_an_account_is_dropped(store: Store, start_harness: StartHarness) -> None:
    """Also in a receiver's queue that has the name of the account."""
    harness = await start_harness(store)
    harness.outbox.serve("webhook", harness.deliver, shared=True)
    gate = harness.gates["hangs"] = asyncio.Event()

    def write(session: Session) -> None:
        harness.outbox.add(session, "webhook:a", "g1", {"n": "hangs"}, account="b")
        harness.outbox.add(session, "webhook:a", "g1", {"n": "of b"}, account="b")
        harness.outbox.add(session, "webhook:a", "g2", {"n": "of a"}, account="a")

    harness.gates["of a"] = harness.gates["to a"] = asyncio.Event()
    await store.write(write)
    await harness.add_jobs("to a", "behind")
    await until(lambda: len(harness.began) == 3, "those that hang have begun")
    await harness.outbox.drop("a", 0.05)
    assert harness.outbox.waiting() == {"webhook:a": 2}
    gate.set()
    await harness.ended(2)
    assert harness.done == ["hangs", "of b"]
    await harness.outbox.load(["a"])  # it is served here again
    harness.gates["to a"].set()
    await harness.ended(5)
    assert set(harness.done[2:]) == {"of a", "to a", "behind"}
    assert harness.done.index("to a") < harness.done.index("behind")
