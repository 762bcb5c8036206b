"""The outbox: what is stored, loaded, cancelled and started."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from sqlmodel import Session, select

from models.db import Store
from models.durable import OutboxItem, Priority
from services.work import outbox as outbox_module
from services.work.job import Job
from services.work.outbox import Outbox
from tests.services.clock import Clock
from tests.services.conftest import until
from tests.services.queue_harness import run_loop
from tests.services.test_lists import put
from tests.services.test_outbox_accounts import Process


async def _rows(store: Store) -> list[OutboxItem]:
    return list(await store.read(lambda s: s.exec(select(OutboxItem)).all()))


async def test_added_job_has_the_usual_values(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock, "a")
    job = await sqlite_store.write(lambda s: process.outbox.add(s, "wx:a", "k", {"n": "名"}))
    (row,) = await _rows(sqlite_store)
    assert row.model_dump() == {
        "id": job.id, "queue": "wx:a", "account": "a", "key": "k", "priority": "a-reply", "body": '{"n": "名"}',
        "state": "queued", "attempts": 0, "error": "", "result": "", "idempotency_key": None, "fingerprint": "",
        "run_at": 0.0, "created_at": clock.now, "done_at": None,
    }  # fmt: skip
    assert (job.queue, job.account, job.created_at, job.run_at, job.due_at) == ("wx:a", "a", clock.now, 0, clock.now)
    more: dict[str, Any] = {"idempotency_key": "i", "fingerprint": "f", "run_at": 7.0, "priority": Priority.NOTICE}
    await sqlite_store.write(lambda s: process.outbox.add(s, "hook:erp", "k", {"n": "x"}, account="b", **more))
    row = (await _rows(sqlite_store))[1]
    assert (row.account, row.idempotency_key, row.fingerprint, row.run_at, row.priority) == (
        "b", "i", "f", 7.0, "b-notice"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("attempts", "created", "run_at", "due"), [(0, 50.0, 80.0, 80.0), (0, 90.0, 80.0, 90.0), (1, 50.0, 80.0, 50.0)]
)
async def test_job_is_due_at_its_time_or_since_it_was_first_tried(
    sqlite_store: Store, clock: Clock, attempts: int, created: float, run_at: float, due: float
) -> None:
    process = Process(sqlite_store, clock, "a")
    values: dict[str, Any] = {"attempts": attempts, "created_at": created, "run_at": run_at}
    await put(sqlite_store, OutboxItem(queue="wx:a", account="a", key="k", body='{"n": "x"}', **values))
    await process.outbox.load()
    (job,) = process.outbox._open
    assert job.due_at == due


async def test_all_of_many_jobs_are_cancelled(
    sqlite_store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "BATCH", 2)
    process = Process(sqlite_store, clock, "a")
    await process.add("wx:a", *"abcde")
    ids = await process.ids(*"abcde")
    assert await sqlite_store.write(lambda s: process.outbox.cancel(s, ids, ["a"])) == 5
    assert set((await process.rows()).values()) == {"cancelled"}
    assert (process.outbox.waiting(), len(process.outbox._open)) == ({"wx:a": 0}, 0)
    assert await sqlite_store.write(lambda s: process.outbox.cancel(s, [], [])) == 0


async def test_only_the_marked_job_is_sending(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock, "a")
    await process.add("wx:a", "one", "two", "three")
    jobs = {job.body["n"]: job for job in process.outbox._open}
    assert await process.outbox.mark_sending(jobs["one"])
    await sqlite_store.write(lambda s: process.outbox.cancel(s, [jobs["two"].id], []))
    assert not await process.outbox.mark_sending(jobs["two"])
    assert await process.rows() == {"one": "sending", "two": "cancelled", "three": "queued"}


async def test_jobs_of_other_processes_are_loaded_on_a_notification(sqlite_store: Store, clock: Clock) -> None:
    holder, other = Process(sqlite_store, clock, "a", "b"), Process(sqlite_store, clock)
    await holder.outbox.load(["a", "b"])
    await holder.add("wx:a", "own")
    await holder.add("wx:b", "of b")
    await other.add("wx:a", "added")
    await other.add("wx:b", "added to b")
    assert other.outbox.waiting() == {}, "it does not serve the account"
    await holder.outbox.refresh("a")
    assert holder.outbox.waiting() == {"wx:a": 2, "wx:b": 1}
    ids = await holder.ids("own", "of b")
    await sqlite_store.write(lambda s: other.outbox.cancel(s, ids, ["a"]))
    await holder.outbox.refresh("a")
    assert holder.outbox.waiting() == {"wx:a": 1, "wx:b": 1}, "those of the account only"
    await holder.outbox.refresh("a")
    assert holder.outbox.waiting() == {"wx:a": 1, "wx:b": 1}


async def test_broadcast_of_a_killed_process_is_not_refreshed_before_the_account_is_loaded(
    sqlite_store: Store, clock: Clock
) -> None:
    """A notification arrives while an account is taken over: what was being sent may have been sent."""
    killed = Process(sqlite_store, clock, "a")
    await sqlite_store.write(lambda s: killed.outbox.add(s, "wx:a", "k", {"n": "one"}, priority=Priority.BROADCAST))
    (job,) = killed.outbox._open
    assert await killed.outbox.mark_sending(job)
    holder = Process(sqlite_store, clock, "a")
    await holder.outbox.refresh("a")
    await holder.outbox.load(["a"])
    assert (holder.outbox.waiting(), await holder.rows()) == ({}, {"one": "unknown"})
    assert not await holder.outbox.mark_sending(job)
    await holder.outbox.drop("a", 0)
    await killed.add("wx:a", "two")
    await holder.outbox.refresh("a")
    assert len(holder.outbox._open) == 0, "it does not serve the account any more"


async def test_jobs_of_some_accounts_are_loaded(sqlite_store: Store, clock: Clock) -> None:
    before = Process(sqlite_store, clock, "a", "b")
    await before.add("wx:a", "one")
    await before.add("wx:b", "two")
    process = Process(sqlite_store, clock, "a", "b")
    await process.outbox.load(["b"])
    assert process.outbox.waiting() == {"wx:b": 1}
    await process.outbox.load()
    await process.outbox.load()
    assert process.outbox.waiting() == {"wx:a": 1, "wx:b": 1}, "each once"


async def test_queue_without_a_worker_is_named(
    sqlite_store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number, queue in enumerate(("fax:1", "wx:a"), 1):
        await put(sqlite_store, OutboxItem(id=number, queue=queue, account="a", key="k", body='{"n": "x"}'))
    process = Process(sqlite_store, clock, "a")
    await process.outbox.load()
    assert "job 1 is waiting: queue fax:1 has no worker" in caplog.text
    assert process.outbox.waiting() == {"wx:a": 1}, "the others are loaded"


async def test_delivery_begins_with_the_start(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock, "a", "b")
    await process.add("wx:a", "before")
    await run_loop()
    assert process.began == []
    await process.outbox.start()
    await process.add("wx:b", "after")  # a queue that is opened later
    await until(lambda: sorted(process.began) == ["after", "before"])
    await process.outbox.stop(60)
    assert set((await process.rows()).values()) == {"sent"}
    await process.add("wx:a", "late")
    await process.add("wx:other", "late", account="a")
    await run_loop()
    assert len(process.began) == 2


async def test_only_the_queues_of_an_account_are_woken(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock, "a", "b")
    closed = True
    process.outbox.serve("wx", process.deliver, is_open=lambda _name: not closed)
    await process.outbox.start()
    for name in ("a", "b", "c"):
        process.ownership.take(name)
        await process.add(f"wx:{name}", name)
    await run_loop()
    closed = False
    process.outbox.wake_account("a")
    await until(lambda: process.began == ["a"])
    process.outbox.wake_account("b")
    await until(lambda: process.began == ["a", "b"])
    await run_loop()
    assert process.began == ["a", "b"]
    for call in (process.outbox.retry_now, process.outbox.wake_account):
        call("wx:none")
    await process.outbox.stop(0)


async def test_pace_and_state_are_asked_by_account(sqlite_store: Store, clock: Clock) -> None:
    asked: list[tuple[str, str]] = []

    async def deliver(_job: Job) -> str:
        return ""

    def pace(name: str) -> None:
        asked.append(("pace", name))

    def is_open(name: str) -> bool:
        asked.append(("open", name))
        return True

    outbox = Outbox(sqlite_store, clock)
    outbox.serve("wx", deliver, pace=pace, is_open=is_open)
    await outbox.start()
    await sqlite_store.write(lambda s: outbox.add(s, "wx:a:1", "k", {}))
    await until(lambda: len(asked) > 1)
    assert set(asked) == {("pace", "a:1"), ("open", "a:1")}
    await outbox.stop(60)


async def test_state_in_memory_counts_unless_it_was_cancelled(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock, "a")
    process.holds("one")
    await process.outbox.start()
    await process.add("wx:a", "one", "two")
    await until(lambda: process.began == ["one"])
    one, two = await _rows(sqlite_store)
    assert [process.outbox.state_of(row) for row in (one, two)] == ["sending", "queued"]
    one.state = "cancelled"
    assert process.outbox.state_of(one) == "cancelled"
    assert process.outbox.state_of(OutboxItem(id=99, queue="wx:a", key="k", body="{}", state="failed")) == "failed"
    await process.outbox.stop(0)


async def test_age_of_a_job_counts_from_its_time(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock, "a")
    await process.add("wx:a", "one", run_at=clock.now + 10)
    assert process.outbox.oldest("wx:a") == 0
    clock.now += 25
    assert process.outbox.oldest("wx:a") == 15
    await process.add("wx:a", "two")
    clock.now += 1
    assert (process.outbox.oldest("wx:a"), process.outbox.oldest("wx:b")) == (16, 0)


async def test_requeued_job_is_announced_to_the_holder(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock, "a")
    for number, name in enumerate(("a", "b"), 1):
        values: dict[str, Any] = {
            "state": "failed",
            "attempts": 4,
            "error": "no",
            "run_at": 9.0,
            "done_at": 8.0,
            "created_at": 1.0,
        }
        await put(sqlite_store, OutboxItem(id=number, queue=f"wx:{name}", account=name, key="k", body="{}", **values))

    def again(session: Session, number: int) -> None:
        process.outbox.requeue(session, session.get_one(OutboxItem, number))

    for number in (1, 2):
        await sqlite_store.write(partial(again, number=number))
    assert (process.told, process.outbox.waiting()) == (["b"], {"wx:a": 1})
    for row in await _rows(sqlite_store):
        found = (row.state, row.attempts, row.error, row.run_at, row.done_at, row.created_at)
        assert found == ("queued", 0, "", 0.0, None, clock.now)
