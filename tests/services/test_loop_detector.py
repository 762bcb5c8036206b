"""Echoes and repeated messages."""

from __future__ import annotations

import pytest

from services.messaging import loop_detector
from services.messaging.loop_detector import LoopDetector
from tests.services.clock import Clock

MAX_MESSAGES, MAX_REPEATS, REPEAT_SECONDS = 8, 20, 300.0


def test_own_last_messages_are_echoes(clock: Clock) -> None:
    detector = LoopDetector(clock)
    for number in range(MAX_MESSAGES):
        detector.record_sent("a", "x", f"Words {number}")
    assert all(detector.is_echo("a", "x", f"words {number} ") for number in range(MAX_MESSAGES)), "in any form"
    assert not detector.is_echo("a", "y", "words 1")
    assert not detector.is_echo("b", "x", "words 1")
    assert not detector.is_echo("a", "x", "other words")
    detector.record_sent("a", "x", "one more")
    assert [detector.is_echo("a", "x", f"words {number}") for number in range(MAX_MESSAGES)] == [False] + [True] * (
        MAX_MESSAGES - 1
    )


def test_message_repeated_more_than_twenty_times_loops(clock: Clock) -> None:
    detector = LoopDetector(clock)
    said = [detector.is_looping("a", "x", "p", "again") for _ in range(MAX_REPEATS + 2)]
    assert said == [False] * MAX_REPEATS + [True, True]
    for key in (("b", "x", "p", "again"), ("a", "y", "p", "again"), ("a", "x", "q", "again"), ("a", "x", "p", "other")):
        assert not detector.is_looping(*key)


@pytest.mark.parametrize(("later", "loops"), [(REPEAT_SECONDS, True), (REPEAT_SECONDS + 0.5, False)])
def test_repetitions_count_for_five_minutes(clock: Clock, later: float, loops: bool) -> None:
    detector = LoopDetector(clock)
    for _ in range(MAX_REPEATS):
        detector.is_looping("a", "x", "p", "again")
    clock.now += later
    assert detector.is_looping("a", "x", "p", "again") == loops
    more = [detector.is_looping("a", "x", "p", "again") for _ in range(MAX_REPEATS)]
    assert more[-2] == loops, "a new count begins"
    assert more[-1]


def test_oldest_conversations_are_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_detector, "MAX_KNOWN", 2)
    detector = LoopDetector(clock)
    for to in ("x", "y", "x", "z"):
        detector.record_sent("a", to, "hi")
    assert [detector.is_echo("a", to, "hi") for to in "xyz"] == [True, False, True]
    for _ in range(MAX_REPEATS):
        detector.is_looping("a", "x", "p", "again")
    detector.is_looping("a", "y", "p", "again")
    assert detector.is_looping("a", "x", "p", "again"), "two are remembered"
    detector.is_looping("a", "z", "p", "again")
    assert not detector.is_looping("a", "x", "p", "again")


def test_renewed_count_is_the_newest(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_detector, "MAX_KNOWN", 2)
    monkeypatch.setattr(loop_detector, "MAX_REPEATS", 1)
    detector = LoopDetector(clock)
    detector.is_looping("a", "x", "p", "again")
    detector.is_looping("a", "y", "p", "again")
    clock.now += REPEAT_SECONDS + 1
    detector.is_looping("a", "x", "p", "again")  # begins anew, behind that of y
    detector.is_looping("a", "z", "p", "again")
    assert detector.is_looping("a", "x", "p", "again"), "that of y is forgotten instead"
