"""What happens while an inbox stops, and afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from functools import partial

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from models.durable import InboxEvent
from services.work import write_batcher
from services.work.inbox_table import InboxRows
from tests.services.inbox_harness import InboxHarness, harness, start_harness, wait_idle, wait_until_stored
from tests.services.queue_harness import run_loop
from tests.services.test_inbox_parts import hold
from tests.services.test_inbox_rows import raw
from tests.waiting import SECONDS, until

__all__ = ["harness", "start_harness"]


async def test_no_handler_starts_while_events_wait_for_the_database(
    harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be stored within the grace is not stored later either: another inbox may serve the account."""
    monkeypatch.setattr(write_batcher, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(write_batcher, "MAX_RETRY_WAIT", 0.01)
    gate = harness.slow_handler["x-1"] = asyncio.Event()
    await harness.say("x-1", "x-2")
    await until(lambda: harness.rows_seen, "one is being handled")
    await wait_until_stored(harness)
    tried = threading.Event()

    def fails(*_args: object) -> dict[str, int]:
        tried.set()
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("disk I/O error"))

    with monkeypatch.context() as away:
        away.setattr(InboxRows, "insert", fails)
        await harness.say("x-3")
        await asyncio.to_thread(tried.wait, SECONDS)
        gate.set()
        await harness.inbox.stop(0.5)
    assert (harness.handled, harness.rows_seen) == (["x-1"], ["x-1"])
    await asyncio.sleep(0.1)
    await harness.store.write(lambda _session: None)  # behind all others
    assert await harness.states() == {"x-1": "done test", "x-2": "new"}


async def test_events_stored_after_the_end_do_not_count(
    harness: InboxHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await harness.say("x-1")
    await wait_idle(harness)
    holds, goes_on = threading.Event(), threading.Event()
    held = harness.store.write_soon(partial(hold, holds=holds, goes_on=goes_on))
    await asyncio.to_thread(holds.wait, SECONDS)
    await harness.say("x-1")
    await harness.inbox.stop(0)
    goes_on.set()
    await held
    await until(lambda: "repeated" in caplog.text, "it was compared with the first")
    assert len(harness.inbox) == 0


async def test_commits_wait_for_more_while_events_queue_up(harness: InboxHarness) -> None:
    gate = harness.slow_handler["x-0"] = asyncio.Event()
    await harness.say(*(f"x-{number}" for number in range(20)))
    assert harness.store.commit_delay.seconds() == pytest.approx(0.02)
    await harness.inbox.take_all([raw("x-20"), raw("x-21")], lambda _session: None)
    assert harness.store.commit_delay.seconds() == pytest.approx(0.022)
    gate.set()
    await wait_idle(harness)
    assert harness.store.commit_delay.seconds() == 0
    harness.slow_handler["y-0"] = asyncio.Event()
    await harness.say(*(f"y-{number}" for number in range(10)))
    await harness.inbox.stop(0)
    assert (len(harness.inbox), harness.store.commit_delay.seconds()) == (0, 0)
    harness.store.commit_delay.count(8)
    assert harness.store.commit_delay.seconds() == pytest.approx(0.008), "it is even, not below"


async def test_handlers_are_cancelled_after_the_grace(harness: InboxHarness) -> None:
    handling = harness.slow_handler["x-1"] = asyncio.Event()
    reading = harness.slow_message["y-1"] = asyncio.Event()
    await harness.say("x-1", "y-1")
    await until(lambda: harness.rows_seen and len(harness.read) == 2, "one is handled, the other is read")
    await harness.inbox.stop(0)
    handling.set()
    reading.set()
    await run_loop()
    rows = await harness.store.write(lambda s: s.exec(select(InboxEvent)).all())
    assert {row.event_id: (row.state, bool(row.body)) for row in rows} == {"x-1": ("new", True), "y-1": ("new", False)}
    assert harness.handled == []


async def test_stop_waits_until_failed_events_are_ended(harness: InboxHarness) -> None:
    failing = harness.slow_handler["x-1"] = asyncio.Event()
    harness.handler_fails["x-1"] = [ValueError("bug")]
    await harness.say("x-1")
    await until(lambda: harness.rows_seen, "it is being handled")
    await wait_until_stored(harness)
    holds, goes_on = threading.Event(), threading.Event()
    held = harness.store.write_soon(partial(hold, holds=holds, goes_on=goes_on))
    await asyncio.to_thread(holds.wait, SECONDS)
    failing.set()
    await wait_idle(harness)
    stopping = asyncio.create_task(harness.inbox.stop(SECONDS))
    await run_loop()
    assert not stopping.done()
    goes_on.set()
    await asyncio.gather(held, stopping)
    assert await harness.states() == {"x-1": "failed failed"}
