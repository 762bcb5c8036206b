"""The inbox: events are stored before they are handled, once, in order per conversation, despite delays and
failures.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from errors import WeChatOffline, WeChatRefused, WeChatUnknown
from logs import JsonFormatter
from models.db import Store
from models.durable import InboxEvent
from services.work import arrival_sequencer, inbox, payload_reader, relay_position
from services.work.inbox import Inbox
from services.work.inbox_table import end_event
from tests.services.conftest import OpenStore
from tests.waiting import SECONDS, until
from wechat.events import Event, PrivateMessage, RawEvent

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class InboxHarness:
    """A simulated gateway and handler with configurable delays and failures. Event ids are PERSON-NUMBER."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.handled: list[str] = []
        self.rows_seen: list[str] = []
        self.read: list[str] = []
        self.slow_message: dict[str, asyncio.Event] = {}  # messages that cannot be read yet
        self.slow_contact: dict[str, asyncio.Event] = {}  # people who cannot be read yet
        self.slow_handler: dict[str, asyncio.Event] = {}
        self.fails: dict[str, list[Exception]] = {}
        self.handler_fails: dict[str, list[Exception]] = {}
        self.parked: list[str] = []
        self.acknowledged: list[str] = []
        self.inbox = Inbox(
            "a",
            store,
            self.resolve,
            self.handle,
            lambda _session, raw: self.parked.append(raw.id),
            self.acknowledged.append,
        )

    async def resolve(self, raw: RawEvent, placed: Callable[[str], None]) -> Event | None:
        person = raw.id.partition("-")[0]
        self.read.append(raw.id)
        if raw.id in self.slow_message:
            await self.slow_message[raw.id].wait()
        if self.fails.get(raw.id):
            raise self.fails[raw.id].pop(0)
        if person == "echo":
            return None
        placed(person)
        if person in self.slow_contact:
            await self.slow_contact[person].wait()
        return PrivateMessage("a", raw.id, NOW, person, "name", raw.data["text"])

    async def handle(self, event: Event, row: int) -> str:
        stored = await self.store.read(lambda s: s.get(InboxEvent, row))
        self.rows_seen.append(stored.event_id if stored else "")
        if event.id in self.slow_handler:
            await self.slow_handler[event.id].wait()
        if self.handler_fails.get(event.id):
            raise self.handler_fails[event.id].pop(0)
        self.handled.append(event.id)
        await self.store.write(lambda s: end_event(s, "a", row, "test"))
        return "test"

    async def say(self, *ids: str) -> None:
        for id in ids:
            await self.inbox.take(RawEvent("a", id, "message", {"text": f"words of {id}"}, NOW))

    def by(self, person: str) -> list[str]:
        return [id for id in self.handled if id.startswith(f"{person}-")]

    async def states(self) -> dict[str, str]:
        rows = await self.store.read(lambda s: s.exec(select(InboxEvent)).all())
        return {row.event_id: f"{row.state} {row.handler}".strip() for row in rows}


StartHarness = Callable[[Store], Awaitable[InboxHarness]]


@pytest.fixture
async def start_harness() -> AsyncIterator[StartHarness]:
    harnesses: list[InboxHarness] = []

    async def start(store: Store) -> InboxHarness:
        harness = InboxHarness(store)
        harnesses.append(harness)
        await harness.inbox.start()
        return harness

    yield start
    for harness in harnesses:
        await harness.inbox.stop(0)


@pytest.fixture
async def harness(sqlite_store: Store, start_harness: StartHarness) -> InboxHarness:
    return await start_harness(sqlite_store)


async def wait_idle(harness: InboxHarness) -> None:
    await until(lambda: len(harness.inbox) == 0, "nothing in memory")


async def wait_until_stored(harness: InboxHarness) -> None:
    """Wait until received events and read payloads are stored."""
    await harness.inbox._rows.drain()
    await harness.inbox._progress.drain_payloads()


async def test_event_is_stored_before_handling_and_completed_with_it(store: Store, start_harness: StartHarness) -> None:
    harness = await start_harness(store)
    await harness.say("x-1", "x-2", "y-1")
    await wait_idle(harness)
    assert harness.rows_seen == harness.handled, "each had its row when it was handled"
    assert sorted(harness.handled) == ["x-1", "x-2", "y-1"]
    assert await harness.states() == {"x-1": "done test", "x-2": "done test", "y-1": "done test"}


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


# ---- order and delays ----


async def test_order_is_kept_when_payloads_arrive_out_of_order(harness: InboxHarness) -> None:
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
    monkeypatch.setattr(arrival_sequencer, "MAX_WAIT", 0.3)
    gates = {f"x-{i}": asyncio.Event() for i in range(20)}
    harness.slow_message.update(gates)
    await harness.say(*gates, "y-1", "y-2")
    began = asyncio.get_running_loop().time()
    await until(lambda: len(harness.handled) == 2, "the others go on")
    spent = asyncio.get_running_loop().time() - began
    assert spent < 3, "each of the twenty would have cost its own moment: six seconds"
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


async def test_temporarily_refused_payload_is_read(harness: InboxHarness) -> None:
    harness.fails["x-1"] = [WeChatRefused("MessagePayload", "14 UNAVAILABLE")] * (payload_reader.MAX_TRIES - 1)
    await harness.say("x-1", "x-2")
    await wait_idle(harness)
    assert sorted(harness.handled) == ["x-1", "x-2"]


async def read_without_waits(harness: InboxHarness, id: str, reads: int) -> None:
    """Run a number of attempts to read an event's payload, without the waits between them."""
    for tries in range(1, reads):
        await until(lambda tries=tries: harness.read.count(id) == tries, "tried")
        await asyncio.sleep(0)  # so that it has begun to wait
        harness.inbox.wake()


@pytest.mark.parametrize("kind", [WeChatRefused, WeChatUnknown])
async def test_fifth_consecutive_refusal_is_final(
    harness: InboxHarness, kind: type[WeChatRefused | WeChatUnknown]
) -> None:
    harness.fails["x-1"] = [kind("MessagePayload", "no such message") for _ in range(9)]
    await harness.say("x-1")
    await read_without_waits(harness, "x-1", 5)
    await wait_idle(harness)
    assert harness.read.count("x-1") == 5
    assert harness.handled == []
    await harness.inbox.stop(1)
    assert await harness.states() == {"x-1": "failed unreadable"}


async def test_refusals_are_reset_by_reconnect(harness: InboxHarness) -> None:
    """Refusals from before it went do not count: it may have been on its way down."""
    refused = [WeChatRefused("MessagePayload", "14 UNAVAILABLE") for _ in range(8)]
    harness.fails["x-1"] = [*refused[:4], WeChatOffline("MessagePayload"), *refused[4:]]
    await harness.say("x-1")
    await read_without_waits(harness, "x-1", 10)
    await wait_idle(harness)
    assert harness.read.count("x-1") == 10
    assert harness.handled == ["x-1"]


async def test_disconnection_does_not_count_as_refusal(harness: InboxHarness) -> None:
    refused = [WeChatRefused("MessagePayload", "14 UNAVAILABLE") for _ in range(4)]
    harness.fails["x-1"] = [WeChatOffline("MessagePayload"), *refused]
    await harness.say("x-1")
    await read_without_waits(harness, "x-1", 6)
    await wait_idle(harness)
    assert harness.handled == ["x-1"]


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


async def test_payload_retries_back_off_to_five_seconds(harness: InboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(harness.inbox._reader, "_pause", pause)
    harness.fails["x-1"] = [WeChatOffline("MessagePayload") for _ in range(8)]
    await harness.say("x-1")
    await wait_idle(harness)
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0])


async def test_unreadable_payload_is_given_up(harness: InboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_reader, "MAX_TRIES", 2)
    harness.fails["x-1"] = [WeChatRefused("MessagePayload", "no such message")] * 2
    await harness.say("x-1", "x-2", "echo-1")
    await wait_idle(harness)
    assert harness.handled == ["x-2"]
    await harness.inbox.stop(1)
    assert await harness.states() == {"x-1": "failed unreadable", "x-2": "done test", "echo-1": "done ignored"}


async def test_events_wait_while_gateway_is_offline(harness: InboxHarness) -> None:
    harness.fails["x-1"] = [WeChatOffline("MessagePayload")] * 5  # waits 0.2 + 0.4 + … = 6.2 s unless poked
    await harness.say("x-1", "x-2")
    began = asyncio.get_running_loop().time()
    for tries in range(1, 6):
        await until(lambda tries=tries: harness.read.count("x-1") == tries, "tried")
        harness.inbox.wake()
    await wait_idle(harness)
    assert asyncio.get_running_loop().time() - began < 4
    assert harness.handled == ["x-1", "x-2"]


async def test_payload_that_never_answers_is_given_up(harness: InboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_reader, "MAX_TRIES", 2)
    harness.fails["x-1"] = [WeChatUnknown("MessagePayload", "no answer")] * 10
    await harness.say("x-1")
    await wait_idle(harness)
    await harness.inbox.stop(1)
    assert await harness.states() == {"x-1": "failed unreadable"}


# ---- stopping ----


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
