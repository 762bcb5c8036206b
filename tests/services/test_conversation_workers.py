"""Workers of conversations: one event of each at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError

from services.work import conversation_workers
from services.work.arrival_sequencer import Arrival
from services.work.conversation_workers import ConversationWorkers
from services.work.inbox_progress import InboxProgress
from tests.services.arrivals import arrival, event
from tests.services.queue_harness import run_loop
from tests.waiting import until
from wechat.events import Event

AWAY = OperationalError("", {}, Exception("away"))


class Workers:
    """Workers with a recorded progress; handlers wait while their gate is closed."""

    def __init__(self) -> None:
        self.handled: list[str] = []
        self.done = 0
        self.notes: list[Any] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.fails: dict[str, list[Exception]] = {}
        self.workers = ConversationWorkers(self._handle, cast("InboxProgress", self), self._done)

    def _done(self) -> None:
        self.done += 1

    async def _handle(self, event: Event, row: int) -> str:
        if event.id in self.gates:
            await self.gates[event.id].wait()
        if self.fails.get(event.id):
            raise self.fails[event.id].pop(0)
        self.handled.append(f"{event.id} {row}")
        return "handler"

    async def count_attempt(self, arrival: Arrival) -> None:
        self.notes.append(("attempt", arrival.row))

    def end(self, arrival: Arrival, handler: str, state: str) -> None:
        self.notes.append(("end", arrival.row, handler, state))

    def log(self, id: str, kind: str, handler: str, result: str, _started: float) -> None:
        self.notes.append(("log", id, kind, handler, result))

    def push(self, name: str, conversation: str | None = "x", *, settled: bool = True) -> Arrival:
        pushed = arrival(name)
        pushed.conversation = conversation
        if settled:
            pushed.settle(event(name))
        self.workers.push(pushed)
        return pushed


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    workers = Workers()
    yield workers
    await workers.workers.cancel()


async def test_event_is_handled_and_logged(workers: Workers) -> None:
    workers.push("m7")
    await until(lambda: workers.done == 1)
    assert workers.handled == ["m7 7"]
    assert workers.notes == [("attempt", 7), ("log", "m7", "PrivateMessage", "handler", "ok")]
    assert workers.workers._queues == {}, "an idle conversation is forgotten"


async def test_event_without_a_conversation_is_dropped(workers: Workers) -> None:
    workers.push("m1", None)
    assert (workers.done, workers.workers._queues) == (1, {})
    waiting = workers.push("m2", settled=False)
    await run_loop()
    waiting.settle(None)
    await until(lambda: workers.done == 2)
    assert (workers.handled, workers.notes) == ([], [])


async def test_one_event_of_a_conversation_at_a_time(workers: Workers) -> None:
    workers.gates["m1"] = asyncio.Event()
    for name, conversation in (("m1", "x"), ("m2", "x"), ("m3", "y"), ("m4", "x")):
        workers.push(name, conversation)
    await until(lambda: workers.handled == ["m3 3"])
    workers.gates["m1"].set()
    await until(lambda: workers.done == 4)
    assert workers.handled[1:] == ["m1 1", "m2 2", "m4 4"]


async def test_conversations_handled_at_a_time_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_workers, "CONCURRENT", 2)
    workers = Workers()
    for name in ("m1", "m2", "m3"):
        workers.gates[name] = asyncio.Event()
        workers.push(name, name)
    await run_loop()
    assert [note[1] for note in workers.notes] == [1, 2]
    for gate in workers.gates.values():
        gate.set()
    await until(lambda: workers.done == 3)


async def test_failed_event_ends(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    workers.fails["m1"] = [ValueError("bug")]
    workers.push("m1")
    workers.push("m2")
    await until(lambda: workers.done == 2)
    assert workers.handled == ["m2 2"]
    assert workers.notes[1:3] == [("end", 1, "failed", "failed"), ("log", "m1", "PrivateMessage", "?", "failed")]
    assert "event m1 PrivateMessage failed" in caplog.text


async def test_event_stays_open_if_the_database_is_away_at_the_stop(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    workers.fails["m1"] = [AWAY]
    workers.gates["m1"] = asyncio.Event()
    workers.push("m1")
    workers.push("m2")
    await run_loop()
    workers.workers.begin_stop()
    workers.gates["m1"].set()
    await workers.workers.stop(60)
    assert [note[0] for note in workers.notes] == ["attempt", "log"], "it is handled after the restart"
    assert (workers.handled, workers.done) == ([], 1), "and those behind it"
    workers.push("m3", "y")
    await run_loop()
    assert workers.handled == []


async def test_stop_ends_waiting_for_payloads(workers: Workers) -> None:
    workers.push("m1", settled=False)
    workers.push("m2", "y", settled=False)
    workers.gates["m3"] = asyncio.Event()
    workers.push("m3", "z")
    await run_loop()
    stopping = asyncio.create_task(workers.workers.stop(60))
    await run_loop()
    assert len(workers.workers._tasks) == 1, "one is being handled"
    assert not stopping.done()
    workers.gates["m3"].set()
    await stopping
    assert workers.handled == ["m3 3"]


async def test_event_read_while_stopping_is_not_handled(workers: Workers) -> None:
    waiting = workers.push("m1", settled=False)
    await run_loop()
    workers.workers.begin_stop()
    waiting.settle(event("m1"))
    await run_loop()
    assert (workers.handled, workers.done) == ([], 1)


async def test_handlers_that_take_too_long_are_cancelled(workers: Workers) -> None:
    workers.gates["m1"] = asyncio.Event()
    workers.push("m1")
    await run_loop()
    await workers.workers.stop(0.01)
    assert len(workers.workers._tasks) == 1
    await workers.workers.cancel()
    await run_loop()
    assert len(workers.workers._tasks) == 0
