"""The inbox over restarts, crashes and stops."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from errors import WeChatOffline, WeChatRefused
from models.db import Store
from models.fence import Fenced
from models.row_statements import Row
from services.work import inbox
from services.work.inbox_table import InboxRows
from tests.services.conftest import OpenStore
from tests.services.fence import Guard
from tests.services.inbox_harness import (
    NOW,
    InboxHarness,
    StartHarness,
    harness,
    start_harness,
    wait_idle,
    wait_until_stored,
)
from tests.waiting import SECONDS, until
from wechat.events import REUSED_ID_MARK, RawEvent

__all__ = ["harness", "start_harness"]


async def test_repeated_event_is_ignored_also_after_restart(open_store: OpenStore, start_harness: StartHarness) -> None:
    first = await start_harness(await open_store())
    await first.say("x-1", "x-1", "x-2", "x-1")
    await wait_idle(first)
    await first.say("x-2")
    await wait_idle(first)
    assert first.handled == ["x-1", "x-2"]
    await first.inbox.stop(1)
    second = await start_harness(await open_store())
    await second.say("x-1", "x-2", "x-3")
    await wait_idle(second)
    assert second.handled == ["x-3"]


async def test_unfinished_events_are_handled_in_order_after_restart(
    open_store: OpenStore, start_harness: StartHarness
) -> None:
    first = await start_harness(await open_store())
    first.slow_handler["x-1"] = asyncio.Event()
    first.slow_message["y-1"] = asyncio.Event()
    await first.say("x-1", "x-2", "y-1", "x-3")
    await until(lambda: first.rows_seen, "one is being handled")
    await wait_until_stored(first)
    await first.inbox.stop(0)
    assert first.handled == []
    second = await start_harness(await open_store())
    await wait_idle(second)
    assert second.by("x") == ["x-1", "x-2", "x-3"]
    assert second.by("y") == ["y-1"]


async def kill(harness: InboxHarness) -> None:
    """Cancel its tasks without cleanup, like kill -9."""
    inbox = harness.inbox
    tasks = inbox._tasks._tasks | inbox._reader._tasks._tasks | inbox._workers._tasks._tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def crash_while_handling(open_store: OpenStore, start_harness: StartHarness, event: str = "") -> InboxHarness:
    """Start a process that dies while handling this event."""
    harness = await start_harness(await open_store())
    if event:
        harness.slow_handler[event] = asyncio.Event()
    return harness


async def test_event_that_crashes_the_process_twice_is_parked(
    open_store: OpenStore, start_harness: StartHarness
) -> None:
    first = await crash_while_handling(open_store, start_harness, "x-1")
    await first.say("x-1", "x-2", "y-1")
    await until(lambda: len(first.rows_seen) == 2 and first.handled, "x-1 is being handled")
    await wait_until_stored(first)
    await kill(first)
    for _ in range(2):
        retried = await crash_while_handling(open_store, start_harness, "x-1")
        await until(lambda retried=retried: retried.rows_seen, "x-1 is being handled")
        assert retried.parked == []
        await kill(retried)
    last = await crash_while_handling(open_store, start_harness, "x-1")
    await wait_idle(last)
    assert last.parked == ["x-1"]
    assert last.handled == ["x-2"], "the conversation goes on behind it"
    assert await last.states() == {"x-1": "parked parked", "x-2": "done test", "y-1": "done test"}
    again = await crash_while_handling(open_store, start_harness)
    assert (again.parked, again.handled) == ([], [])


async def test_orderly_stop_is_not_a_crash(open_store: OpenStore, start_harness: StartHarness) -> None:
    first = await crash_while_handling(open_store, start_harness, "x-1")
    await first.say("x-1")
    await until(lambda: first.rows_seen, "x-1 is being handled")
    await wait_until_stored(first)
    for _ in range(4):
        await first.inbox.stop(0)
        first = await crash_while_handling(open_store, start_harness, "x-1")
        await until(lambda first=first: first.rows_seen, "x-1 is being handled")
    assert first.parked == []


async def test_read_payload_needs_no_gateway_after_restart(open_store: OpenStore, start_harness: StartHarness) -> None:
    first = await start_harness(await open_store())
    first.slow_handler["x-1"] = asyncio.Event()
    await first.say("x-1")
    await until(lambda: first.rows_seen, "it is being handled, so it was read")
    await wait_until_stored(first)
    await first.inbox.stop(0)
    second = await start_harness(await open_store())
    second.fails["x-1"] = [WeChatRefused("MessagePayload", "no such message")]
    await wait_idle(second)
    assert second.handled == ["x-1"]
    assert second.read == []


async def test_backlog_larger_than_memory_does_not_block_start(
    sqlite_store: Store, start_harness: StartHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await start_harness(sqlite_store)
    first.slow_message["x-0"] = asyncio.Event()
    await first.say("x-0", *(f"x-{i}" for i in range(1, 40)))
    await until(lambda: len(first.read) == 40, "all are stored")
    await wait_until_stored(first)
    await first.inbox.stop(0)
    monkeypatch.setattr(inbox, "MAX_IN_MEMORY", 10)
    second = InboxHarness(sqlite_store)
    second.slow_message["x-0"] = asyncio.Event()
    await asyncio.wait_for(second.inbox.start(), SECONDS)  # before the gateway is connected
    second.slow_message["x-0"].set()
    await wait_idle(second)
    assert sorted(second.handled) == sorted(f"x-{i}" for i in range(40))
    await second.inbox.stop(1)


async def test_stop_during_database_outage_leaves_the_event_pending(
    open_store: OpenStore, start_harness: StartHarness
) -> None:
    first = await start_harness(await open_store())
    away = OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error"))
    first.handler_fails["x-1"] = [away] * 1000
    await first.say("x-1")
    await until(lambda: len(first.rows_seen) > 1, "it is tried again")
    await first.inbox.stop(5)
    assert await first.states() == {"x-1": "new"}
    second = await start_harness(await open_store())
    await wait_idle(second)
    assert second.handled == ["x-1"]


@pytest.mark.parametrize("is_read", [False, True])
async def test_database_outage_at_the_first_attempt_loses_no_event(
    sqlite_store: Store, start_harness: StartHarness, monkeypatch: pytest.MonkeyPatch, is_read: bool
) -> None:
    first = await start_harness(sqlite_store)
    (first.slow_handler if is_read else first.slow_message)["x-1"] = asyncio.Event()
    await first.say("x-1")
    await until(lambda: first.rows_seen if is_read else first.read)
    await wait_until_stored(first)
    await kill(first)
    failures = [OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error")) for _ in range(4)]
    count_tries = InboxRows.count_tries

    def fail_at_first(table: InboxRows, session: Session, rows: list[Row]) -> None:
        if failures:
            raise failures.pop()
        count_tries(table, session, rows)

    monkeypatch.setattr(InboxRows, "count_tries", fail_at_first)
    second = await start_harness(sqlite_store)
    await wait_idle(second)
    assert second.handled == ["x-1"]


# ---- stopping ----


async def test_stop_after_the_account_was_lost_leaves_nothing_behind(
    sqlite_store: Store, start_harness: StartHarness
) -> None:
    class Lost(Guard):
        def begin(self, _connection: Connection) -> None:
            raise Fenced("member")

    harness = await start_harness(sqlite_store)
    names = [f"x-{number}" for number in range(20)]
    harness.slow_message |= {name: asyncio.Event() for name in names}
    await harness.say(*names)
    await wait_until_stored(harness)
    sqlite_store.guard(Lost("member"))
    await harness.inbox.stop(0.1)
    assert (len(harness.inbox), sqlite_store.commit_delay.seconds()) == (0, 0.0)


async def test_stop_stores_received_events_and_finishes_running_ones(
    sqlite_store: Store, start_harness: StartHarness
) -> None:
    harness = await start_harness(sqlite_store)
    gate = harness.slow_handler["x-1"] = asyncio.Event()
    await harness.say("x-1", "x-2")
    await until(lambda: harness.rows_seen, "one is being handled")
    await harness.say(*(f"y-{i}" for i in range(50)))
    asyncio.get_running_loop().call_later(0.2, gate.set)
    await harness.inbox.stop(5)
    assert harness.by("x") == ["x-1"]
    states = await harness.states()
    assert len(states) == 52
    assert (states["x-1"], states["x-2"]) == ("done test", "new")


async def test_stop_is_bounded_in_time(sqlite_store: Store, start_harness: StartHarness) -> None:
    harness = await start_harness(sqlite_store)
    harness.slow_handler["x-1"] = asyncio.Event()
    harness.slow_contact["y"] = asyncio.Event()
    await harness.say("x-1", "y-1")
    await until(lambda: harness.rows_seen, "one is being handled")
    await asyncio.wait_for(harness.inbox.stop(0.2), SECONDS)
    assert (await harness.states())["x-1"] == "new"


async def _is_compared(harness: InboxHarness) -> None:
    """Receive another event under the id of an earlier one, which cannot be read yet."""
    await harness.say("x-1", "x-2")
    await until(lambda: harness.handled == ["x-1", "x-2"])
    await wait_until_stored(harness)
    harness.slow_message |= {"x-1": asyncio.Event(), "x-2": asyncio.Event()}
    read = len(harness.read)
    for id, words in (("x-1", "other words"), ("x-2", "words of x-2")):
        await harness.inbox.take(RawEvent("a", id, "message", {"text": words}, NOW, f"journal/{id}"))
    await until(lambda: len(harness.read) == read + 2, "both are compared")
    assert harness.acknowledged[-1] == "journal/x-2", "a relay does not send them again"


async def test_id_used_again_is_handled_although_the_process_died_while_it_was_compared(
    open_store: OpenStore, start_harness: StartHarness
) -> None:
    await _is_compared(first := await start_harness(await open_store()))
    await first.inbox.stop(0)
    second = await start_harness(await open_store())
    await until(lambda: second.handled, "it is handled")
    await wait_idle(second)
    assert [id.partition(REUSED_ID_MARK)[0] for id in second.handled] == ["x-1"]
    await until(lambda: _has_rows(second, {"x-1", "x-2", *second.handled}), "nothing else is kept")


async def _has_rows(harness: InboxHarness, ids: set[str]) -> bool:
    return (await harness.states()).keys() == ids


async def test_id_used_again_is_handled_once_the_gateway_is_back(harness: InboxHarness) -> None:
    await harness.say("x-1")
    await until(lambda: harness.handled == ["x-1"])
    await wait_until_stored(harness)
    harness.fails = {"x-1": [WeChatOffline("MessagePayload")]}
    await harness.inbox.take(RawEvent("a", "x-1", "message", {"text": "other words"}, NOW))
    await until(lambda: len(harness.handled) == 2, "it is handled")
