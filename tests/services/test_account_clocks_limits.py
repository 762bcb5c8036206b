"""Limits of what is old and which clock is wrong."""

from __future__ import annotations

import pytest

from tests.services.test_account_clocks import HOUR, MINUTE, NOW, Machine
from wechat.interface import State


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.mark.parametrize(("ago", "old"), [(10 * MINUTE, False), (10 * MINUTE + 0.5, True)])
def test_ten_minutes_before_the_login_are_not_old(machine: Machine, ago: float, old: bool) -> None:
    machine.passed = HOUR
    machine.online()
    assert machine.is_old(ago) is old
    machine.passed += HOUR
    assert machine.is_old(HOUR + ago) is old


def test_age_counts_from_the_start_before_the_login(machine: Machine) -> None:
    machine.passed = HOUR
    assert not machine.is_old(HOUR + 10 * MINUTE)
    assert machine.is_old(HOUR + 11 * MINUTE)


def test_age_by_the_gateways_clock_counts_from_the_login(machine: Machine) -> None:
    machine.ahead = 2 * HOUR
    machine.online()
    machine.passed = HOUR
    machine.tells()
    assert not machine.is_old(HOUR + 9 * MINUTE)
    assert machine.is_old(HOUR + 11 * MINUTE)


@pytest.mark.parametrize(("skew", "wrong"), [(120.0, False), (120.5, True), (-120.0, False), (-120.5, True)])
def test_more_than_two_minutes_are_wrong(machine: Machine, skew: float, wrong: bool) -> None:
    machine.tells(behind=skew)
    assert machine.clocks.wrong_clocks() == ({"a": pytest.approx(skew)} if wrong else {})


def test_skew_is_that_of_the_last_twenty_messages(machine: Machine) -> None:
    delays = [1.0, *[5.0] * 19]
    for delay in delays:
        machine.clocks.record_message("a", 1000.0, 1000.0 + delay)
    assert machine.clocks.skew("a") == 1.0
    machine.clocks.record_message("a", 1000.0, 1005.0)
    assert machine.clocks.skew("a") == 5.0


def _say(machine: Machine, number: int) -> None:
    """Messages of this moment; the machine's clock is ahead."""
    for _ in range(number):
        said_at = NOW + machine.passed
        machine.clocks.record_message("a", said_at, said_at + machine.ahead)


@pytest.mark.parametrize(("after", "number", "known"), [(60.0, 9, False), (60.5, 3, True), (60.5, 2, False)])
def test_three_messages_a_minute_after_the_login_tell_the_time(
    machine: Machine, after: float, number: int, known: bool
) -> None:
    machine.ahead = HOUR
    machine.online()
    machine.passed = after
    _say(machine, number)
    assert machine.is_old(0) is not known


def test_messages_of_an_earlier_login_do_not_count(machine: Machine) -> None:
    machine.ahead = HOUR
    machine.online()
    machine.passed = 2 * MINUTE
    _say(machine, 5)
    assert not machine.is_old(0)
    machine.clocks.state_changed("a", State.LOGGED_OUT)
    machine.passed = 3 * MINUTE
    machine.online()
    assert machine.is_old(0), "nothing is known of the new one"
    machine.passed = 5 * MINUTE
    _say(machine, 3)
    assert not machine.is_old(0)


def test_slowest_messages_do_not_count(machine: Machine) -> None:
    machine.ahead = HOUR
    machine.online()
    machine.passed = 2 * MINUTE
    _say(machine, 2)
    machine.clocks.record_message("a", NOW, NOW + 5 * HOUR)
    assert not machine.is_old(0)
    assert machine.is_old(13 * MINUTE), "by the fastest one"


def test_messages_before_any_login_tell_nothing(machine: Machine) -> None:
    machine.ahead = HOUR
    machine.passed = 2 * MINUTE
    _say(machine, 5)
    assert machine.is_old(0)
