"""Reading of payloads: limited, repeated, and ended."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

from errors import WeChatRefused
from services.work import payload_reader
from services.work.arrival_sequencer import Arrival, ArrivalSequencer
from services.work.inbox_progress import InboxProgress
from services.work.payload_reader import PayloadReader
from tests.services.arrivals import arrival, event
from tests.services.queue_harness import run_loop
from tests.waiting import until
from wechat.events import Event, RawEvent


class Reader:
    """A reader with a recorded progress and sequencer."""

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self.answers: dict[str, Any] = {}
        self.early: dict[str, str] = {}
        self.reader = PayloadReader("a", self._resolve, cast("ArrivalSequencer", self), cast("InboxProgress", self))

    async def _resolve(self, raw: RawEvent, placed: Any) -> Event | None:
        if raw.id in self.early:
            placed(self.early[raw.id])
            placed(self.early[raw.id])
        answer = self.answers.get(raw.id)
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            return event(raw.id)
        if isinstance(answer, Exception):
            raise answer
        return cast("Event | None", answer)

    def reading(self, arrival: Arrival) -> None:
        self.notes.append(("reading", arrival.row))

    def place(self, arrival: Arrival, conversation: str) -> None:
        if arrival.conversation is None:
            arrival.conversation = conversation
            self.notes.append(("placed", arrival.row, conversation))

    def settled(self, arrival: Arrival) -> None:
        self.notes.append(("settled", arrival.row))

    async def count_attempt(self, arrival: Arrival) -> None:
        self.notes.append(("attempt", arrival.row))

    def store_payload(self, arrival: Arrival, _event: Event) -> None:
        self.notes.append(("stored", arrival.row))

    def end(self, arrival: Arrival, handler: str, state: str) -> None:
        self.notes.append(("end", arrival.row, handler, state))

    def log(self, id: str, kind: str, handler: str, result: str, _started: float) -> None:
        self.notes.append(("log", id, kind, handler, result))

    async def read(self, name: str, answer: Any) -> Arrival:
        self.answers[name] = answer
        pending = arrival(name)
        self.reader.push(pending)
        await until(lambda: pending.settled)
        return pending


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    reader = Reader()
    reader.reader.start()
    yield reader
    await reader.reader.stop()


async def test_payload_is_stored_and_placed(reader: Reader) -> None:
    pending = await reader.read("m1", event("m1", "y"))
    assert await pending.event() == event("m1", "y")
    assert reader.notes == [("reading", 1), ("attempt", 1), ("stored", 1), ("placed", 1, "y")]


async def test_ignored_event_ends(reader: Reader) -> None:
    pending = await reader.read("m1", None)
    assert await pending.event() is None
    assert reader.notes[2:] == [
        ("end", 1, "ignored", "done"), ("log", "m1", "message", "-", "ignored"), ("settled", 1),
    ]  # fmt: skip


async def test_unreadable_event_ends(reader: Reader, caplog: pytest.LogCaptureFixture) -> None:
    reader.early["m1"] = "x"
    await reader.read("m1", ValueError("bug"))
    assert reader.notes[3:] == [
        ("end", 1, "unreadable", "failed"), ("log", "m1", "message", "-", "unreadable"),
    ]  # fmt: skip
    assert "a: could not read the payload of event m1: bug" in caplog.text


async def test_reads_are_limited_until_their_conversation_is_known(reader: Reader) -> None:
    reader.reader.slots = asyncio.Semaphore(2)
    gate = asyncio.Event()
    reader.answers = {"m1": gate, "m2": gate}
    reader.early["m2"] = "x"
    for name in ("m1", "m2", "m3", "m4"):
        reader.reader.push(arrival(name))
    await until(lambda: ("log", "m4", "message", "-", "ignored") in reader.notes, "m2 holds no place")
    reader.reader.push(arrival("m5"))
    await until(lambda: ("log", "m5", "message", "-", "ignored") in reader.notes)
    gate.set()
    await until(lambda: ("stored", 1) in reader.notes and ("stored", 2) in reader.notes)
    await run_loop()
    assert reader.reader.slots._value == 2, "each place was released once"


async def test_pause_ends_in_time_or_when_woken(reader: Reader) -> None:
    await reader.reader._pause(0.01)
    pause = asyncio.create_task(reader.reader._pause(1000))
    await asyncio.sleep(0)
    reader.reader.wake()
    await pause
    again = asyncio.create_task(reader.reader._pause(1000))
    await run_loop()
    assert not again.done(), "an earlier call does not count"
    reader.reader.wake()
    await again


async def test_refused_payload_is_read_five_times(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(reader.reader, "_pause", pause)
    await reader.read("m1", WeChatRefused("c"))
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6])


async def test_event_is_read_again_after_a_database_outage(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Reading may need what is stored, such as an access token."""
    monkeypatch.setattr(payload_reader, "FIRST_WAIT", 0.01)
    away = OperationalError("SELECT", {}, sqlite3.OperationalError("disk I/O error"))
    await reader.read("m1", [away] * 7 + [event("m1")])
    assert ("stored", 1) in reader.notes
    assert not [note for note in reader.notes if note[0] == "end"]
    await reader.read("m2", [ProgrammingError("SELECT", {}, sqlite3.ProgrammingError("no such column"))])
    assert "could not read the payload of event m2" in caplog.text
