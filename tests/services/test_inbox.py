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
from tests.services.conftest import OpenStore, until
from tests.waiting import SECONDS
from wechat.events import Event, PrivateMessage, RawEvent

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Desk:
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


Move = Callable[[Store], Awaitable[Desk]]


@pytest.fixture
async def move_in() -> AsyncIterator[Move]:
    desks: list[Desk] = []

    async def move(store: Store) -> Desk:
        desk = Desk(store)
        desks.append(desk)
        await desk.inbox.start()
        return desk

    yield move
    for desk in desks:
        await desk.inbox.stop(0)


@pytest.fixture
async def desk(sqlite_store: Store, move_in: Move) -> Desk:
    return await move_in(sqlite_store)


async def idle(desk: Desk) -> None:
    await until(lambda: len(desk.inbox) == 0, "nothing in memory")


async def on_disk(desk: Desk) -> None:
    """Wait until received events and read payloads are stored."""
    await desk.inbox._rows.drain()
    await desk.inbox._progress.drain_payloads()


async def test_stored_before_it_is_acted_on_and_ended_with_it(store: Store, move_in: Move) -> None:
    desk = await move_in(store)
    await desk.say("x-1", "x-2", "y-1")
    await idle(desk)
    assert desk.rows_seen == desk.handled, "each had its row when it was handled"
    assert sorted(desk.handled) == ["x-1", "x-2", "y-1"]
    assert await desk.states() == {"x-1": "done test", "x-2": "done test", "y-1": "done test"}


async def test_a_repeat_does_nothing_not_even_after_a_restart(open_store: OpenStore, move_in: Move) -> None:
    first = await move_in(await open_store())
    await first.say("x-1", "x-1", "x-2", "x-1")
    await idle(first)
    await first.say("x-2")
    await idle(first)
    assert first.handled == ["x-1", "x-2"]
    await first.inbox.stop(1)
    second = await move_in(await open_store())
    await second.say("x-1", "x-2", "x-3")
    await idle(second)
    assert second.handled == ["x-3"]


async def test_what_was_not_ended_is_handled_after_the_restart_in_order(open_store: OpenStore, move_in: Move) -> None:
    first = await move_in(await open_store())
    first.slow_handler["x-1"] = asyncio.Event()
    first.slow_message["y-1"] = asyncio.Event()
    await first.say("x-1", "x-2", "y-1", "x-3")
    await until(lambda: first.rows_seen, "one is being handled")
    await on_disk(first)
    await first.inbox.stop(0)
    assert first.handled == []
    second = await move_in(await open_store())
    await idle(second)
    assert second.by("x") == ["x-1", "x-2", "x-3"]
    assert second.by("y") == ["y-1"]


async def crash(desk: Desk) -> None:
    """Cancel its tasks without cleanup, like kill -9."""
    inbox = desk.inbox
    tasks = inbox._tasks._tasks | inbox._reader._tasks._tasks | inbox._workers._tasks._tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def begin(open_store: OpenStore, move_in: Move, event: str = "") -> Desk:
    """Start a process that dies while handling this event."""
    desk = await move_in(await open_store())
    if event:
        desk.slow_handler[event] = asyncio.Event()
    return desk


async def test_an_event_of_which_the_process_dies_twice_is_parked(open_store: OpenStore, move_in: Move) -> None:
    first = await begin(open_store, move_in, "x-1")
    await first.say("x-1", "x-2", "y-1")
    await until(lambda: len(first.rows_seen) == 2 and first.handled, "x-1 is being handled")
    await on_disk(first)
    await crash(first)
    for _ in range(2):
        retried = await begin(open_store, move_in, "x-1")
        await until(lambda retried=retried: retried.rows_seen, "x-1 is being handled")
        assert retried.parked == []
        await crash(retried)
    last = await begin(open_store, move_in, "x-1")
    await idle(last)
    assert last.parked == ["x-1"]
    assert last.handled == ["x-2"], "the conversation goes on behind it"
    assert await last.states() == {"x-1": "parked parked", "x-2": "done test", "y-1": "done test"}
    again = await begin(open_store, move_in)
    assert (again.parked, again.handled) == ([], [])


async def test_a_stop_in_order_is_no_crash(open_store: OpenStore, move_in: Move) -> None:
    first = await begin(open_store, move_in, "x-1")
    await first.say("x-1")
    await until(lambda: first.rows_seen, "x-1 is being handled")
    await on_disk(first)
    for _ in range(4):
        await first.inbox.stop(0)
        first = await begin(open_store, move_in, "x-1")
        await until(lambda first=first: first.rows_seen, "x-1 is being handled")
    assert first.parked == []


async def test_what_was_read_needs_no_gateway_after_the_restart(open_store: OpenStore, move_in: Move) -> None:
    first = await move_in(await open_store())
    first.slow_handler["x-1"] = asyncio.Event()
    await first.say("x-1")
    await until(lambda: first.rows_seen, "it is being handled, so it was read")
    await on_disk(first)
    await first.inbox.stop(0)
    second = await move_in(await open_store())
    second.fails["x-1"] = [WeChatRefused("MessagePayload", "no such message")]
    await idle(second)
    assert second.handled == ["x-1"]
    assert second.read == []


async def test_more_open_events_than_fit_in_memory_do_not_stop_the_start(
    sqlite_store: Store, move_in: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await move_in(sqlite_store)
    first.slow_message["x-0"] = asyncio.Event()
    await first.say("x-0", *(f"x-{i}" for i in range(1, 40)))
    await until(lambda: len(first.read) == 40, "all are stored")
    await on_disk(first)
    await first.inbox.stop(0)
    monkeypatch.setattr(inbox, "MAX_IN_MEMORY", 10)
    second = Desk(sqlite_store)
    second.slow_message["x-0"] = asyncio.Event()
    await asyncio.wait_for(second.inbox.start(), SECONDS)  # before the gateway is connected
    second.slow_message["x-0"].set()
    await idle(second)
    assert sorted(second.handled) == sorted(f"x-{i}" for i in range(40))
    await second.inbox.stop(1)


# ---- order and delays ----


async def test_a_conversation_keeps_its_order_when_its_payloads_come_out_of_order(desk: Desk) -> None:
    gates = {f"x-{i}": asyncio.Event() for i in range(5)}
    desk.slow_message.update(gates)
    await desk.say(*gates)
    for id in reversed(gates):
        await until(lambda: len(desk.read) == 5)
        gates[id].set()
        await asyncio.sleep(0)
    await idle(desk)
    assert desk.handled == list(gates)


async def test_a_backlog_keeps_its_order(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event may delay others for a time that begins when its payload is read, not when it arrived."""
    monkeypatch.setattr(arrival_sequencer, "MAX_WAIT", 0.05)
    desk.inbox._reader.slots = asyncio.Semaphore(2)
    gates = {f"{who}-{i}": asyncio.Event() for who in "yx" for i in range(2)}
    desk.slow_message.update(gates)
    await desk.say(*gates)
    await until(lambda: len(desk.read) == 2)
    await asyncio.sleep(0.1)  # the payloads of x are not being read for longer than MAX_WAIT
    monkeypatch.setattr(arrival_sequencer, "MAX_WAIT", 1000.0)
    gates["y-0"].set()
    gates["y-1"].set()
    await until(lambda: len(desk.read) == 4)
    gates["x-1"].set()
    await until(lambda: len(desk.handled) == 2)
    gates["x-0"].set()
    await idle(desk)
    assert desk.by("x") == ["x-0", "x-1"]


async def test_a_slow_handler_holds_up_its_own_conversation_only(desk: Desk) -> None:
    desk.slow_handler["x-1"] = asyncio.Event()
    await desk.say("x-1", "x-2", "y-1", "z-1", "y-2")
    await until(lambda: len(desk.handled) == 3, "the others go on")
    assert desk.by("y") == ["y-1", "y-2"]
    assert desk.by("x") == []
    desk.slow_handler["x-1"].set()
    await idle(desk)
    assert desk.by("x") == ["x-1", "x-2"]


async def test_a_slow_contact_holds_up_its_own_conversation_only(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival_sequencer, "MAX_WAIT", 1000.0)  # must not be needed here
    gate = desk.slow_contact["x"] = asyncio.Event()
    await desk.say(*(f"x-{i}" for i in range(100)), "y-1", "y-2")  # more than are read concurrently
    await until(lambda: len(desk.handled) == 2, "the others go on")
    assert desk.handled == ["y-1", "y-2"]
    gate.set()
    await idle(desk)
    assert desk.by("x") == [f"x-{i}" for i in range(100)]


async def test_messages_that_cannot_be_had_hold_the_others_up_for_a_moment_only(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival_sequencer, "MAX_WAIT", 0.3)
    gates = {f"x-{i}": asyncio.Event() for i in range(20)}
    desk.slow_message.update(gates)
    await desk.say(*gates, "y-1", "y-2")
    began = asyncio.get_running_loop().time()
    await until(lambda: len(desk.handled) == 2, "the others go on")
    spent = asyncio.get_running_loop().time() - began
    assert spent < 3, "each of the twenty would have cost its own moment: six seconds"
    assert desk.handled == ["y-1", "y-2"]
    for gate in gates.values():
        gate.set()
    await idle(desk)
    assert len(desk.by("x")) == 20


# ---- failures ----


async def test_a_failing_handler_ends_its_event_and_no_other(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.handler_fails["x-1"] = [ValueError("bug")]
    await desk.say("x-1", "x-2", "y-1")
    await idle(desk)
    assert sorted(desk.handled) == ["x-2", "y-1"]
    await desk.inbox.stop(1)
    assert (await desk.states())["x-1"] == "failed failed"
    assert "words of" not in caplog.text, "no message's text in the log"


async def test_an_event_is_one_line_in_the_log(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    desk.handler_fails["x-2"] = [ValueError("bug")]
    await desk.say("x-1", "x-2")
    await idle(desk)
    await desk.say("x-1")
    await idle(desk)
    lines = [record for record in caplog.records if hasattr(record, "facts")]
    told = [json.loads(JsonFormatter().format(record)) for record in lines]
    assert [(line["id"], line["result"]) for line in told] == [("x-1", "ok"), ("x-2", "failed"), ("x-1", "repeated")]
    assert all(line["account"] and line["kind"] and line["handler"] and line["ms"] >= 0 for line in told)
    assert "event x-1" in told[0]["message"]


async def test_a_database_that_is_away_fails_no_event(desk: Desk) -> None:
    away = OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error"))
    desk.handler_fails["x-1"] = [away, away]
    await desk.say("x-1", "x-2")
    await idle(desk)
    assert desk.handled == ["x-1", "x-2"]
    assert set((await desk.states()).values()) == {"done test"}


async def test_a_stop_while_the_database_is_away_leaves_the_event_to_the_next_start(
    open_store: OpenStore, move_in: Move
) -> None:
    first = await move_in(await open_store())
    away = OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error"))
    first.handler_fails["x-1"] = [away] * 1000
    await first.say("x-1")
    await until(lambda: len(first.rows_seen) > 1, "it is tried again")
    await first.inbox.stop(5)
    assert await first.states() == {"x-1": "new"}
    second = await move_in(await open_store())
    await idle(second)
    assert second.handled == ["x-1"]


async def test_a_payload_that_is_refused_for_a_while_is_read(desk: Desk) -> None:
    desk.fails["x-1"] = [WeChatRefused("MessagePayload", "14 UNAVAILABLE")] * (payload_reader.MAX_TRIES - 1)
    await desk.say("x-1", "x-2")
    await idle(desk)
    assert sorted(desk.handled) == ["x-1", "x-2"]


async def hurry(desk: Desk, id: str, reads: int) -> None:
    """Let an event's payload be read so often, without its waits."""
    for tries in range(1, reads):
        await until(lambda tries=tries: desk.read.count(id) == tries, "tried")
        await asyncio.sleep(0)  # so that it has begun to wait
        desk.inbox.wake()


@pytest.mark.parametrize("kind", [WeChatRefused, WeChatUnknown])
async def test_the_fifth_refusal_in_a_row_is_the_last(desk: Desk, kind: type[WeChatRefused | WeChatUnknown]) -> None:
    desk.fails["x-1"] = [kind("MessagePayload", "no such message") for _ in range(9)]
    await desk.say("x-1")
    await hurry(desk, "x-1", 5)
    await idle(desk)
    assert desk.read.count("x-1") == 5
    assert desk.handled == []
    await desk.inbox.stop(1)
    assert await desk.states() == {"x-1": "failed unreadable"}


async def test_a_gateway_that_was_away_is_asked_five_times_anew(desk: Desk) -> None:
    """Refusals from before it went do not count: it may have been on its way down."""
    refused = [WeChatRefused("MessagePayload", "14 UNAVAILABLE") for _ in range(8)]
    desk.fails["x-1"] = [*refused[:4], WeChatOffline("MessagePayload"), *refused[4:]]
    await desk.say("x-1")
    await hurry(desk, "x-1", 10)
    await idle(desk)
    assert desk.read.count("x-1") == 10
    assert desk.handled == ["x-1"]


async def test_a_gateway_that_is_away_refuses_nothing(desk: Desk) -> None:
    refused = [WeChatRefused("MessagePayload", "14 UNAVAILABLE") for _ in range(4)]
    desk.fails["x-1"] = [WeChatOffline("MessagePayload"), *refused]
    await desk.say("x-1")
    await hurry(desk, "x-1", 6)
    await idle(desk)
    assert desk.handled == ["x-1"]


async def test_the_waits_for_the_database_grow_to_five_seconds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def recorded(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    away = OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error"))
    desk.handler_fails["x-1"] = [away] * 7
    monkeypatch.setattr(asyncio, "sleep", recorded)
    await desk.say("x-1")
    await idle(desk)
    assert desk.handled == ["x-1"]
    assert [wait for wait in waits if wait >= 0.1] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


async def test_the_waits_for_a_payload_grow_to_five_seconds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(desk.inbox._reader, "_pause", pause)
    desk.fails["x-1"] = [WeChatOffline("MessagePayload") for _ in range(8)]
    await desk.say("x-1")
    await idle(desk)
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0])


async def test_an_unreadable_payload_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_reader, "MAX_TRIES", 2)
    desk.fails["x-1"] = [WeChatRefused("MessagePayload", "no such message")] * 2
    await desk.say("x-1", "x-2", "echo-1")
    await idle(desk)
    assert desk.handled == ["x-2"]
    await desk.inbox.stop(1)
    assert await desk.states() == {"x-1": "failed unreadable", "x-2": "done test", "echo-1": "done ignored"}


async def test_while_the_gateway_is_away_events_wait_and_a_poke_wakes_them(desk: Desk) -> None:
    desk.fails["x-1"] = [WeChatOffline("MessagePayload")] * 5  # waits 0.2 + 0.4 + … = 6.2 s unless poked
    await desk.say("x-1", "x-2")
    began = asyncio.get_running_loop().time()
    for tries in range(1, 6):
        await until(lambda tries=tries: desk.read.count("x-1") == tries, "tried")
        desk.inbox.wake()
    await idle(desk)
    assert asyncio.get_running_loop().time() - began < 4
    assert desk.handled == ["x-1", "x-2"]


async def test_a_payload_that_never_answers_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_reader, "MAX_TRIES", 2)
    desk.fails["x-1"] = [WeChatUnknown("MessagePayload", "no answer")] * 10
    await desk.say("x-1")
    await idle(desk)
    await desk.inbox.stop(1)
    assert await desk.states() == {"x-1": "failed unreadable"}


# ---- stopping ----


async def test_a_stop_stores_what_was_taken_and_lets_what_runs_finish(sqlite_store: Store, move_in: Move) -> None:
    desk = await move_in(sqlite_store)
    gate = desk.slow_handler["x-1"] = asyncio.Event()
    await desk.say("x-1", "x-2")
    await until(lambda: desk.rows_seen, "one is being handled")
    await desk.say(*(f"y-{i}" for i in range(50)))
    asyncio.get_running_loop().call_later(0.2, gate.set)
    await desk.inbox.stop(5)
    assert desk.by("x") == ["x-1"]
    states = await desk.states()
    assert len(states) == 52
    assert (states["x-1"], states["x-2"]) == ("done test", "new")


async def test_a_stop_does_not_wait_longer_than_it_may(sqlite_store: Store, move_in: Move) -> None:
    desk = await move_in(sqlite_store)
    desk.slow_handler["x-1"] = asyncio.Event()
    desk.slow_contact["y"] = asyncio.Event()
    await desk.say("x-1", "y-1")
    await until(lambda: desk.rows_seen, "one is being handled")
    await asyncio.wait_for(desk.inbox.stop(0.2), SECONDS)
    assert (await desk.states())["x-1"] == "new"


async def test_a_full_inbox_makes_the_gateway_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MAX_IN_MEMORY", 3)
    gate = desk.slow_handler["x-1"] = asyncio.Event()
    saying = asyncio.create_task(desk.say(*(f"x-{i}" for i in range(1, 7))))
    await until(lambda: desk.rows_seen, "one is being handled")
    assert not saying.done()
    assert len(desk.inbox) == 3
    gate.set()
    await saying
    await idle(desk)
    assert len(desk.handled) == 6


async def test_a_relays_position_is_stored_with_the_events_and_acknowledged_afterwards(store: Store) -> None:
    desk = Desk(store)
    await desk.inbox.start()
    for number in (1, 2):
        await desk.inbox.take(RawEvent("a", f"x-{number}", "message", {"text": ""}, NOW, position=f"ab:{number}"))
    await desk.inbox.stop(1)
    assert desk.acknowledged[-1] == "ab:2"
    epoch, position = await store.write(lambda s: relay_position.begin(s, "a"))
    assert position == "ab:2"
    assert (await store.write(lambda s: relay_position.begin(s, "a")))[0] > epoch
