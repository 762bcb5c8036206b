"""Rows of the inbox, and the log lines about its events."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

import pytest
from sqlmodel import Session, select

from models.db import Store
from models.durable import InboxEvent
from services.work.arrival_sequencer import Arrival
from services.work.inbox_progress import InboxProgress
from services.work.inbox_table import InboxRows, end_event
from tests.services.arrivals import AT, event
from tests.services.queue_harness import run_loop
from tests.services.test_inbox_rows import raw
from tests.waiting import SECONDS
from wechat.events import RawEvent


async def test_row_has_the_values_of_its_event(sqlite_store: Store) -> None:
    table = InboxRows("a")
    event = RawEvent("a", "m1", "message", {"t": "名"}, AT)
    found = await sqlite_store.write(lambda s: table.insert(s, [event, raw("m2"), event]))
    assert sorted(found) == ["m1", "m2"]
    row = await sqlite_store.read(lambda s: s.get_one(InboxEvent, found["m1"]))
    assert row.model_dump() == {
        "id": found["m1"], "account": "a", "event_id": "m1", "kind": "message", "data": '{"t": "名"}', "body": None,
        "state": "new", "handler": "", "tries": 0, "received_at": AT.timestamp(),
    }  # fmt: skip
    assert await sqlite_store.write(lambda s: table.insert(s, [event])) == {}
    await sqlite_store.write(lambda s: end_event(s, "a", found["m1"], "handler"))
    await sqlite_store.write(lambda s: table.store_bodies(s, [{"row": found["m2"], "kept": "body"}]))
    rows = await sqlite_store.read(lambda s: s.exec(select(InboxEvent)).all())
    assert [(row.state, row.handler, row.body) for row in rows] == [("done", "handler", None), ("new", "", "body")]


async def test_attempt_of_an_earlier_process_is_counted_once(sqlite_store: Store) -> None:
    table = InboxRows("a")
    progress = InboxProgress("a", sqlite_store, table)
    row = (await sqlite_store.write(lambda s: table.insert(s, [raw("m1")])))["m1"]

    async def tries() -> int:
        return (await sqlite_store.read(lambda s: s.get_one(InboxEvent, row))).tries

    new, old = Arrival(raw("m1"), row), Arrival(raw("m1"), row, retried=True)
    await progress.count_attempt(new)
    assert await tries() == 0
    for _ in range(2):
        await progress.count_attempt(old)
    assert (await tries(), old.retried) == (1, False)
    progress.store_payload(new, event("m1"))
    progress.end(new, "by", "failed")
    await progress.drain(60)
    stored = await sqlite_store.read(lambda s: s.get_one(InboxEvent, row))
    assert (stored.state, stored.handler) == ("failed", "by") and '"is": "PrivateMessage"' in (stored.body or "")


async def test_pending_writes_are_waited_for(sqlite_store: Store) -> None:
    progress = InboxProgress("a", sqlite_store, InboxRows("a"))
    arrival = Arrival(raw("m1"), 1)
    steps: list[tuple[Callable[[], None], Callable[[], Awaitable[None]]]] = [
        (lambda: progress.store_payload(arrival, event("m1")), lambda: progress.drain(SECONDS)),
        (lambda: progress.end(arrival, "by", "done"), lambda: progress.drain(SECONDS)),
    ]
    for put, drain in steps:
        holds, goes_on = threading.Event(), threading.Event()
        held = sqlite_store.write_soon(partial(hold, holds=holds, goes_on=goes_on))
        await asyncio.to_thread(holds.wait, SECONDS)
        put()
        draining = asyncio.ensure_future(drain())
        await run_loop()
        assert not draining.done()
        goes_on.set()
        await asyncio.gather(held, draining)


def hold(_session: Session, holds: threading.Event, goes_on: threading.Event) -> None:
    holds.set()
    goes_on.wait(SECONDS)


def test_result_is_logged_with_its_duration(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("services.work.inbox_progress.time.perf_counter", lambda: 5.0)
    InboxProgress("a", cast("Store", None), cast("InboxRows", _Table())).log("m1", "message", "by", "ok", 3.99996)
    assert caplog.messages == ["a: event m1 message by ok 1000.0 ms"]
    facts = {"account": "a", "id": "m1", "kind": "message", "handler": "by", "result": "ok", "ms": 1000.0}
    assert cast("Any", caplog.records[0]).facts == facts


class _Table:
    store_bodies = end = None
