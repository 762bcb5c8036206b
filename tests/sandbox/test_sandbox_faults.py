"""Faults and rate limits, without a network."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.world.faults import Faults, Limits
from sandbox.world.model import Refused
from sandbox.world.world import SONG, World
from tests.sandbox.conftest import BOT, Clock, EventRecorder


def test_same_seed_gives_same_faults() -> None:
    def thrown(seed: int) -> list[list[float]]:
        faults = Faults(seed)
        faults.event("*", twice=0.3, late=0.3, late_ms=50, lost=0.3)
        return [faults.plan_event("message") for _ in range(200)]

    assert thrown(1) == thrown(1) != thrown(2)
    plans = thrown(1)
    assert {len(plan) for plan in plans} == {0, 1, 2}
    assert any(0.05 in plan for plan in plans)


def test_duplicated_delayed_and_dropped_events(world: World, recorder: EventRecorder) -> None:
    world.faults.event("message", twice=1, late=1, late_ms=20)
    world.chats.say(SONG, BOT, "两次")
    assert [(event, delay) for event, _, delay in recorder.all] == [("message", 0.02)] * 2
    world.faults.event("message", lost=1)
    world.chats.say(SONG, BOT, "丢了")
    assert len(recorder.all) == 2
    world.faults.event("message")
    world.chats.say(SONG, BOT, "好了")
    assert len(recorder.all) == 3


def test_delay_fault_has_a_default_duration() -> None:
    faults = Faults(1)
    faults.event("message", late=1)
    assert faults.plan_event("message") == [1.0]
    assert faults.call("RoomAdd", "slow").ms == 1000


def test_fault_of_a_kind_precedes_the_general_one() -> None:
    faults = Faults(1)
    faults.event("*", lost=1)
    faults.event("message", lost=0)
    assert faults.plan_event("message") == [0.0]
    assert faults.plan_event("room-join") == []
    faults.clear()
    assert faults.plan_event("room-join") == [0.0]


def test_calls_fail_by_name_probability_and_count() -> None:
    faults = Faults(1)
    faults.call("RoomCreate", "lose", count=2)
    faults.call("*", "fail", probability=0.5)
    assert [fault.effect for fault in (faults.plan_call("RoomCreate"), faults.plan_call("RoomCreate")) if fault] == [
        "lose"
    ] * 2
    struck = sum(faults.plan_call("ContactList") is not None for _ in range(400))
    assert 150 < struck < 250
    assert faults.plan_call("Event") is None


@pytest.mark.parametrize("wrong", [{"effect": "explode"}, {"probability": 2}, {"count": 0}, {"ms": -1}])
def test_invalid_fault_is_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        Faults(1).call("RoomCreate", **{"effect": "fail", **wrong})


def test_invalid_probability_is_rejected() -> None:
    with pytest.raises(Refused):
        Faults(1).event("message", lost=1.5)


def test_rate_limit_is_enforced_until_it_expires() -> None:
    clock = Clock()
    limits = Limits(clock)
    limits.take("a", "message")
    limits.set("message", 2, 60)
    limits.take("a", "message")
    limits.take("a", "message")
    with pytest.raises(Refused, match="操作过于频繁"):
        limits.take("a", "message")
    limits.take("b", "message")
    limits.take("a", "room_create")
    clock.now += 60
    limits.take("a", "message")
    limits.set("message", 0)
    with pytest.raises(Refused, match="操作过于频繁"):
        limits.take("a", "message")
    limits.set("message", None)
    limits.take("a", "message")
    with pytest.raises(Refused):
        limits.set("message", 1, 0)
