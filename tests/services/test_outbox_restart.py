"""The outbox over a restart and a lost database."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from models.db import Store
from models.durable import OutboxItem, Priority
from services.work import delivery_queue
from services.work.job import Retry
from tests.services.clock import Clock
from tests.services.conftest import OpenStore
from tests.services.outbox_harness import OutboxHarness, StartHarness, harness, run_clock, start_harness
from tests.waiting import SECONDS, until

__all__ = ["harness", "start_harness"]


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


async def test_unavailable_database_gives_nothing_up(
    harness: OutboxHarness, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(delivery_queue, "DATABASE_AWAY", 0.05)
    away = OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error"))
    harness.answers["one"] = [away, away]
    running = asyncio.create_task(run_clock(clock))
    await harness.add_jobs("one", "two", priority=Priority.BROADCAST)
    await harness.ended(2)
    running.cancel()
    await harness.outbox.stop(1)
    assert harness.done == ["one", "two"]
    assert (await harness.rows(), harness.failed) == ({"one": "sent", "two": "sent"}, [])


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
    await second.outbox.stop(SECONDS)
    assert second.done == ["one", "two", "three"], "each once, in order"


async def test_interrupted_reply_is_resent_and_broadcast_is_not(
    open_store: OpenStore, start_harness: StartHarness
) -> None:
    first = await start_harness(await open_store())
    first.gates = {"reply": asyncio.Event(), "broadcast": asyncio.Event()}
    await first.add_jobs("reply", key="x")
    await first.add_jobs("broadcast", key="y", priority=Priority.BROADCAST)
    await until(lambda: len(first.began) == 2)

    async def is_sending() -> bool:
        return (await first.rows())["broadcast"] == "sending"

    await until(is_sending)
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
    stopping = asyncio.create_task(harness.outbox.stop(SECONDS))
    await asyncio.sleep(0)
    gate.set()
    await stopping
    assert await harness.rows() == {"one": "sent", "two": "queued"}


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
