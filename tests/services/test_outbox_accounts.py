"""Jobs of several accounts and processes: moving, cancelling and joining them, and how they are counted."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from models.db import Store
from models.durable import OutboxItem, Priority
from models.row_statements import Row
from services.work.delivery_results import DeliveryResults, Result
from services.work.job import Cancelled, GiveUp, Job, Retry
from services.work.outbox import Outbox
from services.work.outbox_rows import END
from services.work.ownership import LeasedAccounts
from services.work.pace import NoPace
from tests.services.clock import Clock
from tests.services.conftest import until
from tests.waiting import SECONDS


class Process:
    """An outbox whose deliveries wait while their gate is closed; a body is {"n": NAME}."""

    def __init__(self, store: Store, clock: Clock, *held: str) -> None:
        self.store = store
        self.told: list[str] = []
        self.began: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.ownership = LeasedAccounts(lambda: True, lambda _session, account: self.told.append(account))
        for account in held:
            self.ownership.take(account)
        self.outbox = Outbox(store, clock, self.ownership)
        for prefix in ("wx", "hook"):
            self.outbox.serve(prefix, self.deliver)

    async def deliver(self, job: Job) -> str:
        name = job.body["n"]
        self.began.append(name)
        if name in self.gates:
            await self.gates[name].wait()
        return "sent"

    def holds(self, *names: str) -> None:
        self.gates |= {name: asyncio.Event() for name in names}

    async def add(self, queue: str, *names: str, key: str = "k", **values: Any) -> None:
        for name in names:
            body = {"n": name, "text": name}
            await self.store.write(partial(self.outbox.add, queue=queue, key=key, body=body, **values))

    async def ids(self, *names: str) -> list[int]:
        items = await self.store.read(lambda s: s.exec(select(OutboxItem)).all())
        return [item.id or 0 for item in items if json.loads(item.body)["n"] in names]

    async def rows(self) -> dict[str, str]:
        items = await self.store.read(lambda s: s.exec(select(OutboxItem)).all())
        return {json.loads(item.body)["n"]: item.state for item in items}


async def test_an_account_that_moves_takes_its_jobs_along(sqlite_store: Store, clock: Clock) -> None:
    """Its running deliveries may finish within the grace period; other accounts' jobs continue, even in a shared
    queue."""
    process = Process(sqlite_store, clock, "a", "b")
    process.holds("a1", "b1", "hook a1", "hook b1")
    await process.outbox.start()
    await process.add("wx:a", "a1", "a2")
    await process.add("wx:b", "b1", "b2")
    await process.add("hook:erp", "hook a1", "hook a2", key="a", account="a")
    await process.add("hook:erp", "hook b1", "hook b2", key="b", account="b")
    await until(lambda: len(process.began) == 4, "the first of each line runs")
    moving = asyncio.create_task(process.outbox.drop("a", 0.3))
    await asyncio.sleep(0)
    process.gates["a1"].set()
    await moving
    assert process.outbox.waiting() == {"wx:b": 2, "hook:erp": 2}
    for name in ("b1", "hook b1"):
        process.gates[name].set()
    await until(lambda: process.outbox.waiting() == {"wx:b": 0, "hook:erp": 0}, "the others are done")
    await process.outbox.stop(1)
    assert await process.rows() == {
        **dict.fromkeys(("a1", "b1", "b2", "hook b1", "hook b2"), "sent"),
        **dict.fromkeys(("a2", "hook a1", "hook a2"), "queued"),
    }
    assert process.outbox.oldest("wx:a") == 0, "nothing of it is left in memory"


async def test_results_are_stored_before_an_account_moves(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock, "a")
    process.holds("one")
    await process.outbox.start()
    await process.add("wx:a", "one")
    await until(lambda: process.began == ["one"])
    holds, goes_on = threading.Event(), threading.Event()

    def hold(_session: Session) -> None:
        holds.set()
        goes_on.wait(SECONDS)

    held = sqlite_store.write_soon(hold)
    await asyncio.to_thread(holds.wait, SECONDS)
    moving = asyncio.create_task(process.outbox.drop("a", SECONDS))
    process.gates["one"].set()
    for _ in range(50):
        await asyncio.sleep(0)
    assert not moving.done()
    goes_on.set()
    await asyncio.gather(held, moving)
    assert await process.rows() == {"one": "sent"}


async def test_delivery_that_joins_texts_while_its_account_moves_is_not_lost(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock, "a")
    process.holds("one")

    async def deliver(job: Job) -> str:
        await process.deliver(job)
        host, *guests = process.outbox.jobs_behind(job)
        await process.outbox.merge(host, guests, "two\nthree")
        return "sent"

    process.outbox.serve("wx", deliver)
    await process.outbox.start()
    await process.add("wx:a", "one", "two", "three")
    await until(lambda: process.began == ["one"])
    moving = asyncio.create_task(process.outbox.drop("a", SECONDS))
    await asyncio.sleep(0)
    process.gates["one"].set()
    await moving
    assert process.outbox.waiting() == {}
    assert await process.rows() == {"one": "sent", "two": "queued", "three": "queued"}


@pytest.mark.parametrize("priority", [Priority.REPLY, Priority.BROADCAST])
async def test_job_whose_result_is_not_written_yet_is_not_repeated(
    sqlite_store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, priority: Priority
) -> None:
    """The leases run out while the database is away, and the same process takes the account again."""
    away = [OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error")) for _ in range(4)]
    write = END.execute

    def execute(connection: Connection, rows: Sequence[Row]) -> Sequence[Any]:
        if away:
            raise away.pop()
        return write(connection, rows)

    monkeypatch.setattr("services.work.job_results.END", SimpleNamespace(execute=execute))
    process = Process(sqlite_store, clock, "a")
    failed: list[int] = []
    process.outbox.results.on_failed(lambda _session, job, _failure: failed.append(job.id))

    async def deliver(job: Job) -> str:
        assert await process.outbox.mark_sending(job)
        return await process.deliver(job)

    process.outbox.serve("wx", deliver)
    await process.outbox.start()
    await process.add("wx:a", "one", priority=priority)
    await until(lambda: len(away) < 4, "its result could not be written")
    process.ownership.drop("a")
    await process.outbox.drop("a", 0)
    process.ownership.take("a")
    await process.outbox.load(["a"])
    await process.add("wx:a", "two")
    await until(lambda: "two" in process.began)
    await process.outbox.stop(SECONDS)
    assert (process.began, failed) == (["one", "two"], [])
    assert await process.rows() == {"one": "sent", "two": "sent"}
    assert process.outbox.oldest("wx:a") == 0, "nothing of it is left in memory"


async def test_jobs_without_an_account_stay_when_an_account_moves(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock, "a", "")
    await process.add("wx:", "global", account="")
    await process.outbox.drop("a", 0)
    assert process.outbox.waiting() == {"wx:": 1}


async def test_process_that_serves_the_account_is_notified_of_its_jobs(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock, "a")
    await process.outbox.start()
    await process.add("wx:a", "own")
    assert process.told == []
    await process.add("wx:b", "other")
    assert process.told == ["b"]
    await until(lambda: process.began == ["own"])
    ids = await process.ids("own", "other")
    assert await sqlite_store.write(lambda s: process.outbox.cancel(s, ids, ["a", "b"])) == 1
    assert process.told == ["b", "b"]

    def again(session: Session) -> None:
        process.outbox.requeue(session, session.get_one(OutboxItem, ids[1]))

    await sqlite_store.write(again)
    assert process.told == ["b"] * 3
    await process.outbox.stop(1)
    assert await process.rows() == {"own": "sent", "other": "queued"}
    assert process.began == ["own"]


async def test_waiting_jobs_are_joined_to_the_one_that_runs(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock, "a")
    process.holds("host")
    sent: list[str] = []
    process.outbox.results.on_sent(lambda _session, job: sent.append(job.body["n"]))
    seen: list[Job] = []

    async def deliver(job: Job) -> str:
        seen.append(job)
        return await process.deliver(job)

    process.outbox.serve("wx", deliver)
    await process.outbox.start()
    await process.add("wx:a", "host", "one", "two", "three")
    await until(lambda: process.began == ["host"])
    host = seen[0]
    waiting = process.outbox.jobs_behind(host)
    assert [job.body["n"] for job in waiting] == ["one", "two", "three"]
    await process.outbox.merge(host, waiting[:2], "host\none\ntwo")
    assert host.body["text"] == "host\none\ntwo"
    assert [job.body["n"] for job in process.outbox.jobs_behind(host)] == ["three"]
    other = Process(sqlite_store, clock, "a")
    await other.outbox.load()
    assert other.outbox.waiting() == {"wx:a": 2}, "after a restart the host speaks for those joined to it"
    process.gates["host"].set()
    await until(lambda: process.outbox.waiting() == {"wx:a": 0})
    await process.outbox.stop(1)
    assert process.began == ["host", "three"]
    assert sent == ["host", "one", "two", "three"]
    assert set((await process.rows()).values()) == {"sent"}


class Closed(NoPace):
    """Lets nothing begin."""

    def queue_delay(self) -> float:
        return 1000


async def test_the_pace_of_a_queue_can_be_replaced(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock, "a")
    await process.outbox.start()
    process.outbox.set_pace("wx:a", Closed())  # it has no queue yet
    await process.add("wx:a", "one")
    await until(lambda: process.began == ["one"])
    process.outbox.set_pace("wx:a", Closed())
    process.outbox.set_pace("wx:a", None)  # as it is
    await process.add("wx:a", "two")
    for _ in range(20):
        await asyncio.sleep(0)
    assert process.began == ["one"]
    process.outbox.set_pace("wx:a", NoPace())
    process.outbox.wake_account("a")
    await until(lambda: process.began == ["one", "two"])
    await process.outbox.stop(1)


@pytest.mark.parametrize(
    ("result", "priority", "after", "counted"),
    [
        ("id", Priority.REPLY, 60, Result.SENT),
        ("id", Priority.REPLY, 60.5, Result.LATE),
        ("id", Priority.NOTICE, 60.5, Result.LATE),
        ("id", Priority.BROADCAST, 3600, Result.SENT),
        (Retry(1, "busy"), Priority.REPLY, 3600, Result.RETRIED),
        (GiveUp("no"), Priority.REPLY, 3600, Result.FAILED),
        (Cancelled(), Priority.REPLY, 3600, Result.CANCELLED),
    ],
)
def test_a_result_is_late_after_more_than_a_minute(result: Any, priority: str, after: float, counted: Result) -> None:
    results = DeliveryResults()
    job = Job(1, "wx:a", "k", {}, priority, due_at=1000)
    for _ in range(2):
        results.count(job, result, 1000 + after)
    assert results.counts == {("wx:a", counted): 2}
