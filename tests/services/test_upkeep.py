"""Deleting old data, alerts about offline accounts, and the log of jobs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from sqlmodel import Session, SQLModel, select

from models.conversations import StoredMessage
from models.db import Store
from models.durable import Action, InboxEvent, OutboxItem, Setting
from models.flows import FlowCallback, FlowRun
from models.groups import TokenMiss
from models.rules import Broadcast, BroadcastTarget
from models.support import Ticket
from services.messaging.media import MediaStore
from services.upkeep import pruning
from services.upkeep.clock_trust import ClockTrust
from services.upkeep.job_log import NEW, JobLog, JobRun
from services.upkeep.pruning import REFUSED, Pruning
from services.upkeep.retention import Retention
from tests.services.clock import Clock
from tests.services.test_lists import put

DAY, MINUTE = 86400.0, 60.0


class Trust:
    """Whether the clock is trusted, as set by the test."""

    def __init__(self, trusted: bool = True) -> None:
        self.trusted = trusted

    async def is_trusted(self) -> bool:
        return self.trusted


def trust(trusted: bool = True) -> ClockTrust:
    return cast("ClockTrust", Trust(trusted))


# ---- pruning ----


# A deletable row per table, with its time.
OLD: dict[str, Callable[[float], SQLModel]] = {
    "event": lambda at: InboxEvent(account="a", event_id=f"{at}", kind="k", data="{}", state="done", received_at=at),
    "job": lambda at: OutboxItem(queue="wx:a", key="k", body="{}", state="sent", done_at=at),
    "action": lambda at: Action(at=at, account="a", kind="k", who="w"),
    "said": lambda at: StoredMessage(account="a", conversation="x", by="x", at=at, kind="text"),
    "ticket": lambda at: Ticket(
        account="a", contact_id=f"{at}", state="closed", opened_at=at, last_at=at, closed_at=at
    ),
    "miss": lambda at: TokenMiss(account="a", contact_id="x", at=at),
    "run": lambda at: FlowRun(account="a", person="x", flow="f", spec="{}", state="failed", changed_at=at),
    "broadcast": lambda at: Broadcast(account="a", by="x", text="t", expires_at=0, created_at=at, run_at=at),
}


@pytest.mark.parametrize("name", list(OLD))
async def test_finished_rows_are_deleted_after_their_time(sqlite_store: Store, clock: Clock, name: str) -> None:
    make = OLD[name]
    await put(sqlite_store, make(clock.now - 10 * DAY - 1), kept := make(clock.now - 10 * DAY))
    cleaner = Pruning(sqlite_store, 10, clock, trust())
    assert await cleaner.run() == 1
    rows = await sqlite_store.read(lambda s: s.exec(select(type(kept))).all())
    assert len(rows) == 1
    cleaner.configure(9)
    assert await cleaner.run() == 1


async def test_broadcast_is_kept_while_created_or_due_recently(sqlite_store: Store, clock: Clock) -> None:
    limit = clock.now - DAY
    for created, due in ((limit, limit - 9), (limit - 9, limit), (limit - 9, limit - 9)):
        await put(sqlite_store, Broadcast(account="a", by="x", text="t", expires_at=0, created_at=created, run_at=due))
    assert await Pruning(sqlite_store, 1, clock, trust()).run() == 1
    rows = await sqlite_store.read(lambda s: s.exec(select(Broadcast)).all())
    assert [row.id for row in rows] == [1, 2]


async def test_others_write_between_two_batches(
    sqlite_store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(pruning, "BATCH", 2)
    await put(sqlite_store, *(Action(at=1, account="a", kind="k", who="w") for _ in range(5)))
    with monkeypatch.context() as patch:
        patch.setattr("services.upkeep.pruning.asyncio.sleep", wait)
        assert await Pruning(sqlite_store, 1, clock, trust()).run() == 5
    assert waits == [0.05] * 3


async def test_open_rows_are_never_deleted(sqlite_store: Store, clock: Clock) -> None:
    await put(
        sqlite_store,
        InboxEvent(account="a", event_id="1", kind="k", data="{}", received_at=1),
        OutboxItem(queue="wx:a", key="k", body="{}", created_at=1, done_at=1),
        OutboxItem(queue="wx:a", key="k", body="{}", state="sending", created_at=1, done_at=1),
        OutboxItem(queue="wx:a", key="k", body="{}", state="failed", created_at=1),
        Ticket(account="a", contact_id="x", state="open", opened_at=1, last_at=1),
        Broadcast(account="a", by="x", text="t", expires_at=0, created_at=1, run_at=clock.now),
        Broadcast(account="a", by="x", text="t", expires_at=0, created_at=clock.now, run_at=0),
        BroadcastTarget(broadcast=1, account="a", number=1, room_id="r", message=1),
        FlowRun(account="a", person="x", flow="f", spec="{}", state="waiting", changed_at=1),
        FlowCallback(secret="s", run_id=1, step=0),
        TokenMiss(account="a", contact_id="x", at=clock.now),
    )
    assert await Pruning(sqlite_store, 1, clock, trust()).run() == 0


async def test_rows_are_deleted_with_what_belongs_to_them(
    sqlite_store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)
    monkeypatch.setattr(pruning, "PAUSE", 0)
    old = clock.now - 2 * DAY
    await put(
        sqlite_store,
        Broadcast(account="a", by="x", text="t", expires_at=0, created_at=old, run_at=old),
        *(BroadcastTarget(broadcast=1, account="a", number=n, room_id="r", message=1) for n in range(5)),
        FlowRun(account="a", person="x", flow="f", spec="{}", state="finished", changed_at=old),
        FlowCallback(secret="s", run_id=1, step=0),
        TokenMiss(account="a", contact_id="x", at=old),
    )
    assert await Pruning(sqlite_store, 1, clock, trust()).run() == 9
    for table in (Broadcast, BroadcastTarget, FlowRun, FlowCallback, TokenMiss):
        assert await sqlite_store.read(lambda s, t=table: s.exec(select(t)).all()) == []  # type: ignore[misc]


async def test_nothing_is_deleted_by_a_clock_that_jumped(sqlite_store: Store, clock: Clock, tmp_path: Path) -> None:
    await put(sqlite_store, Action(at=1, account="a", kind="k", who="w"))
    assert await Pruning(sqlite_store, 1, clock, trust(False)).run() == REFUSED
    records = Records()
    files = cast("MediaStore", Files())
    assert await Retention(sqlite_store, files, [records], 1, clock, trust(False)).run() == REFUSED
    assert records.befores == []


class Records:
    """Records that note what is deleted."""

    def __init__(self) -> None:
        self.befores: list[float] = []

    def prune(self, session: Session, before: float) -> None:
        self.befores.append(before)


class Files:
    """Files that note what is deleted."""

    def __init__(self) -> None:
        self.befores: list[float] = []

    def prune(self, before: float) -> int:
        self.befores.append(before)
        return 3


async def test_files_and_records_are_deleted_after_their_time(sqlite_store: Store, clock: Clock) -> None:
    first, second, files = Records(), Records(), Files()
    retention = Retention(sqlite_store, cast("MediaStore", files), [first, second], 10, clock, trust())
    assert await retention.run() == 3
    retention.configure(5)
    await retention.run()
    for item in (first, second, files):
        assert item.befores == [clock.now - 10 * DAY, clock.now - 5 * DAY]


# ---- the log of jobs ----


async def test_job_that_has_not_run_is_remembered(sqlite_store: Store, clock: Clock) -> None:
    await JobLog(sqlite_store, clock).begin("prune")
    began = clock.now
    clock.now += 10
    again = JobLog(sqlite_store, clock)
    await again.load()
    await again.begin("prune")
    assert again.last == {"prune": JobRun(began, result=NEW)}
    await again.record("other", JobRun(7.0))
    assert again.last["other"] == JobRun(7.0)


async def test_runs_are_stored_across_restarts(sqlite_store: Store, clock: Clock) -> None:
    log = JobLog(sqlite_store, clock)
    await log.load()
    await log.begin("prune")
    assert log.last == {"prune": JobRun(clock.now, result=NEW)}
    assert (log.counts, log.next_at("prune"), log.names) == ({}, None, [])
    first, second = JobRun(5.0, result="3 行", ms=1.5), JobRun(6.0, ok=False, result="error")
    for run in (first, first, second):
        await log.record("prune", run)
    await log.begin("prune")
    assert log.counts == {("prune", True): 2, ("prune", False): 1}
    await put(sqlite_store, Setting(key="other", value="1"))
    again = JobLog(sqlite_store, clock)
    await again.load()
    assert (again.last, again.counts) == ({"prune": second}, {})
    stored = await sqlite_store.read(lambda s: s.get_one(Setting, "job:prune"))
    assert json.loads(stored.value) == {"at": 6.0, "ok": False, "result": "error", "ms": 0.0}
