"""The inbox: events are stored before they are handled, once, in order per conversation, despite delays and
failures.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from logs import JsonFormatter
from models.db import Store
from services.work import arrival_sequencer, inbox, relay_position
from tests.services.inbox_harness import NOW, InboxHarness, StartHarness, harness, start_harness, wait_idle
from tests.waiting import until
from wechat.events import RawEvent

__all__ = ["harness", "start_harness"]


async def test_event_is_stored_before_handling_and_completed_with_it(store: Store, start_harness: StartHarness) -> None:
    harness = await start_harness(store)
    await harness.say("x-1", "x-2", "y-1")
    await wait_idle(harness)
    assert harness.rows_seen == harness.handled, "each had its row when it was handled"
    assert sorted(harness.handled) == ["x-1", "x-2", "y-1"]
    assert await harness.states() == {"x-1": "done test", "x-2": "done test", "y-1": "done test"}


# ---- order and delays ----


async def test_order_is_kept_when_payloads_arrive_out_of_order(
    harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival_sequencer, "MAX_WAIT", 1000.0)
    gates = {f"x-{i}": asyncio.Event() for i in range(5)}
    harness.slow_message.update(gates)
    await harness.say(*gates)
    for id in reversed(gates):
        await until(lambda: len(harness.read) == 5)
        gates[id].set()
        await asyncio.sleep(0)
    await wait_idle(harness)
    assert harness.handled == list(gates)


async def test_backlog_keeps_its_order(harness: InboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event may delay others for a time that begins when its payload is read, not when it arrived."""
    monkeypatch.setattr(arrival_sequencer, "MAX_WAIT", 0.05)
    harness.inbox._reader.slots = asyncio.Semaphore(2)
    gates = {f"{who}-{i}": asyncio.Event() for who in "yx" for i in range(2)}
    harness.slow_message.update(gates)
    await harness.say(*gates)
    await until(lambda: len(harness.read) == 2)
    await asyncio.sleep(0.1)  # the payloads of x are not being read for longer than MAX_WAIT
    monkeypatch.setattr(arrival_sequencer, "MAX_WAIT", 1000.0)
    gates["y-0"].set()
    gates["y-1"].set()
    await until(lambda: len(harness.read) == 4)
    gates["x-1"].set()
    await until(lambda: len(harness.handled) == 2)
    gates["x-0"].set()
    await wait_idle(harness)
    assert harness.by("x") == ["x-0", "x-1"]


async def test_slow_handler_blocks_only_its_conversation(harness: InboxHarness) -> None:
    harness.slow_handler["x-1"] = asyncio.Event()
    await harness.say("x-1", "x-2", "y-1", "z-1", "y-2")
    await until(lambda: len(harness.handled) == 3, "the others go on")
    assert harness.by("y") == ["y-1", "y-2"]
    assert harness.by("x") == []
    harness.slow_handler["x-1"].set()
    await wait_idle(harness)
    assert harness.by("x") == ["x-1", "x-2"]


async def test_slow_contact_blocks_only_its_conversation(
    harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival_sequencer, "MAX_WAIT", 1000.0)  # must not be needed here
    gate = harness.slow_contact["x"] = asyncio.Event()
    await harness.say(*(f"x-{i}" for i in range(100)), "y-1", "y-2")  # more than are read concurrently
    await until(lambda: len(harness.handled) == 2, "the others go on")
    assert harness.handled == ["y-1", "y-2"]
    gate.set()
    await wait_idle(harness)
    assert harness.by("x") == [f"x-{i}" for i in range(100)]


async def test_unreadable_messages_block_others_briefly(harness: InboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival_sequencer, "MAX_WAIT", 1.0)
    gates = {f"x-{i}": asyncio.Event() for i in range(20)}
    harness.slow_message.update(gates)
    await harness.say(*gates, "y-1", "y-2")
    began = asyncio.get_running_loop().time()
    await until(lambda: len(harness.handled) == 2, "the others go on")
    spent = asyncio.get_running_loop().time() - began
    assert spent < 10, "each of the twenty would have cost its own moment: twenty seconds"
    assert harness.handled == ["y-1", "y-2"]
    for gate in gates.values():
        gate.set()
    await wait_idle(harness)
    assert len(harness.by("x")) == 20


# ---- failures ----


async def test_failing_handler_ends_only_its_event(harness: InboxHarness, caplog: pytest.LogCaptureFixture) -> None:
    harness.handler_fails["x-1"] = [ValueError("bug")]
    await harness.say("x-1", "x-2", "y-1")
    await wait_idle(harness)
    assert sorted(harness.handled) == ["x-2", "y-1"]
    await harness.inbox.stop(1)
    assert (await harness.states())["x-1"] == "failed failed"
    assert "words of" not in caplog.text, "no message's text in the log"


async def test_each_event_is_logged_in_one_line(harness: InboxHarness, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    harness.handler_fails["x-2"] = [ValueError("bug")]
    await harness.say("x-1", "x-2")
    await wait_idle(harness)
    await harness.say("x-1")
    await wait_idle(harness)
    lines = [record for record in caplog.records if hasattr(record, "facts")]
    told = [json.loads(JsonFormatter().format(record)) for record in lines]
    assert [(line["id"], line["result"]) for line in told] == [("x-1", "ok"), ("x-2", "failed"), ("x-1", "repeated")]
    assert all(line["account"] and line["kind"] and line["handler"] and line["ms"] >= 0 for line in told)
    assert "event x-1" in told[0]["message"]


async def test_unavailable_database_fails_no_event(harness: InboxHarness) -> None:
    away = OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error"))
    harness.handler_fails["x-1"] = [away, away]
    await harness.say("x-1", "x-2")
    await wait_idle(harness)
    assert harness.handled == ["x-1", "x-2"]
    assert set((await harness.states()).values()) == {"done test"}


async def test_database_retries_back_off_to_five_seconds(
    harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def recorded(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    away = OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error"))
    harness.handler_fails["x-1"] = [away] * 7
    monkeypatch.setattr(asyncio, "sleep", recorded)
    await harness.say("x-1")
    await wait_idle(harness)
    assert harness.handled == ["x-1"]
    assert [wait for wait in waits if wait >= 0.1] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


async def test_full_inbox_applies_back_pressure(harness: InboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MAX_IN_MEMORY", 3)
    gate = harness.slow_handler["x-1"] = asyncio.Event()
    saying = asyncio.create_task(harness.say(*(f"x-{i}" for i in range(1, 7))))
    await until(lambda: harness.rows_seen, "one is being handled")
    assert not saying.done()
    assert len(harness.inbox) == 3
    gate.set()
    await saying
    await wait_idle(harness)
    assert len(harness.handled) == 6


async def test_relay_position_is_stored_with_events_then_acknowledged(store: Store) -> None:
    harness = InboxHarness(store)
    await harness.inbox.start()
    for number in (1, 2):
        await harness.inbox.take(RawEvent("a", f"x-{number}", "message", {"text": ""}, NOW, position=f"ab:{number}"))
    await harness.inbox.stop(1)
    assert harness.acknowledged[-1] == "ab:2"
    epoch, position = await store.write(lambda s: relay_position.begin(s, "a"))
    assert position == "ab:2"
    assert (await store.write(lambda s: relay_position.begin(s, "a")))[0] > epoch
