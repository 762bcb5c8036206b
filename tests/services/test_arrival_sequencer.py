"""Events are passed on in the order of arrival, although they are read in any order."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import pytest

from services.work import arrival_sequencer
from services.work.arrival_sequencer import ArrivalSequencer
from tests.services.arrivals import arrival, event


class Timer:
    """A timer of the event loop that the test runs by `then()`."""

    def __init__(self, at: float, then: Callable[[], None]) -> None:
        self.at, self.then, self.cancelled = at, then, False

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
async def timers(monkeypatch: pytest.MonkeyPatch) -> list[Timer]:
    """The timers that are set during the test; none runs by itself."""
    timers: list[Timer] = []

    def call_at(at: float, then: Callable[[], None]) -> Timer:
        timers.append(Timer(at, then))
        return timers[-1]

    monkeypatch.setattr(asyncio.get_running_loop(), "call_at", call_at)
    return timers


class Order:
    """A sequencer with its arrivals; `passed` are those it has passed on."""

    def __init__(self, *names: str) -> None:
        self.passed: list[str] = []
        self.sequencer = ArrivalSequencer(lambda arrival: self.passed.append(arrival.raw.id))
        self.arrivals = {name: arrival(name) for name in names}
        for pending in self.arrivals.values():
            self.sequencer.add(pending)

    def place(self, *names: str) -> None:
        for name in names:
            self.sequencer.place(self.arrivals[name], "x")

    def read(self, *names: str) -> None:
        for name in names:
            self.sequencer.reading(self.arrivals[name])

    def settle(self, name: str) -> None:
        self.arrivals[name].settle(None)
        self.sequencer.settled(self.arrivals[name])


async def test_events_are_passed_on_in_order() -> None:
    order = Order("m1", "m2", "m3")
    order.read("m1", "m2", "m3")
    order.place("m2")
    order.place("m3")
    assert order.passed == []
    order.place("m1")
    assert order.passed == ["m1", "m2", "m3"]
    order.place("m1", "m2")
    assert order.passed == ["m1", "m2", "m3"], "placed once"
    order.sequencer.stop()


async def test_event_without_a_conversation_delays_no_other() -> None:
    order = Order("m1", "m2", "m3")
    order.read("m1", "m2", "m3")
    order.settle("m2")
    order.place("m3")
    order.settle("m1")
    assert order.passed == ["m1", "m2", "m3"]


async def test_unread_backlog_has_no_deadline() -> None:
    order = Order("m1", "m2")
    order.place("m2")
    assert order.arrivals["m1"].deadline == math.inf
    assert order.sequencer._timer is None
    order.place("m1")
    assert order.passed == ["m1", "m2"]


async def test_late_event_delays_others_until_its_deadline(
    monkeypatch: pytest.MonkeyPatch, timers: list[Timer]
) -> None:
    now = 100.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    order = Order("m1", "m2", "m3")
    order.read("m1", "m2")
    order.place("m3")
    assert order.arrivals["m1"].deadline == 102.0
    assert [(timer.at, timer.cancelled) for timer in timers] == [(102.0, False)]
    now = 101.0
    order.place("m2")
    assert order.passed == [] and not timers[-1].cancelled, "m1 still has time"
    now = 102.0
    timers[-1].then()
    assert order.passed == ["m2", "m3"]
    late = [order.arrivals["m1"].late]
    order.place("m1")
    assert order.passed == ["m2", "m3", "m1"]
    assert [*late, order.arrivals["m1"].late] == [True, False]
    order.settle("m1")
    assert order.passed[3:] == [], "it was passed on"


async def test_event_of_an_earlier_process_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 100.0)
    retried = arrival("m1", retried=True)
    retried.begin_reading()
    assert retried.deadline == 110.0
    assert (arrival_sequencer.MAX_WAIT, arrival_sequencer.MAX_WAIT_AFTER_LEAVING) == (2.0, 10.0)


async def test_stopped_sequencer_passes_nothing_on(timers: list[Timer]) -> None:
    order = Order("m1", "m2")
    order.read("m1")
    order.place("m2")
    order.sequencer.stop()
    assert [timer.cancelled for timer in timers] == [True]
    assert order.passed == []
    ArrivalSequencer(lambda _one: None).stop()


async def test_waiter_gets_the_resolved_event_or_is_cancelled() -> None:
    message = arrival("m1")
    waiting = asyncio.create_task(message.event())
    await asyncio.sleep(0)
    message.settle(event("m1"))
    message.settle(event("m1"))
    assert await waiting == await message.event() == event("m1")
    other = arrival("m2")
    other.stop_waiting()
    waiting = asyncio.create_task(other.event())
    await asyncio.sleep(0)
    other.stop_waiting()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    other.settle(None)
    assert await other.event() is None
