"""Measurement of the clock skew."""

from __future__ import annotations

import pytest

from services.accounts.clock_skew import WINDOW, ClockSkew


def test_the_fastest_message_tells() -> None:
    skew = ClockSkew()
    assert dict(skew.seconds()) == {}
    for delay in (3600.0, 2.5, 0.4, 30.0):  # an old message, and some slow ones
        skew.heard("a", 1000.0, 1000.0 + delay)
    skew.heard("b", 1000.0, 1000.0 - 1200)
    assert dict(skew.seconds()) == {"a": pytest.approx(0.4), "b": -1200.0}


def test_a_clock_that_was_set_right_is_seen() -> None:
    skew = ClockSkew()
    for number in range(WINDOW * 2):
        wrong = 1200.0 if number < WINDOW else 0.0
        skew.heard("a", number, number - wrong)
    assert dict(skew.seconds()) == {"a": 0.0}
