"""Old messages and clock skew, with either clock wrong."""

from __future__ import annotations

import logging

import pytest

from services.accounts.account_clocks import WINDOW, AccountClocks
from services.accounts.registry import Accounts
from tests.doubles import InMemoryWeChat
from wechat.interface import State

NOW = 1_700_000_000.0
HOUR = 3600.0
MINUTE = 60.0


class Machine:
    """A machine with its clock `ahead` of the true time, and gateways `a` and `b` that may report their time."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.ahead = 0.0
        accounts = Accounts({}, [], [])
        self.gateways = {name: InMemoryWeChat(name) for name in ("a", "b")}
        for gateway in self.gateways.values():
            accounts.add(gateway)  # type: ignore[arg-type]
        self.clocks = AccountClocks(accounts, lambda: NOW + self.passed + self.ahead, lambda: self.passed)

    def online(self, account: str = "a") -> None:
        self.clocks.state_changed(account, State.SYNCING)
        self.clocks.state_changed(account, State.ONLINE)

    def tells(self, behind: float = 0.0) -> None:
        self.gateways["a"].gateway_time = NOW + self.passed - behind

    def is_old(self, ago: float, behind: float = 0.0) -> bool:
        """Whether a message sent `ago` seconds ago is old, by a gateway's clock that is `behind`."""
        return self.clocks.is_old("a", NOW + self.passed - ago - behind)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_message_ten_minutes_before_login_is_old(machine: Machine) -> None:
    machine.passed = HOUR  # the account comes online long after the start
    machine.online()
    assert not machine.is_old(9 * MINUTE)
    assert machine.is_old(11 * MINUTE)
    machine.passed += 5 * MINUTE
    assert not machine.is_old(14 * MINUTE)
    assert machine.is_old(16 * MINUTE)


def test_reconnect_keeps_the_login_time_and_logout_resets_it(machine: Machine) -> None:
    machine.online()
    machine.passed = HOUR
    machine.clocks.state_changed("a", State.CONNECTING)
    machine.online()
    assert not machine.is_old(30 * MINUTE), "said while the connection was lost"
    machine.clocks.state_changed("a", State.LOGGED_OUT)
    machine.online()
    assert machine.is_old(30 * MINUTE), "said while nobody was logged in"


@pytest.mark.parametrize("ahead", [20 * MINUTE, 400 * 24 * HOUR])
def test_messages_are_answered_though_this_machine_is_ahead(machine: Machine, ahead: float) -> None:
    machine.ahead = ahead
    machine.tells()
    machine.online()
    assert not machine.is_old(0)
    assert machine.is_old(11 * MINUTE), "the gateway's own time tells what is old"
    machine.ahead = 0.0  # the clock is set right
    assert not machine.is_old(0)


def test_messages_are_answered_though_the_gateway_is_behind(machine: Machine) -> None:
    machine.tells(behind=8 * HOUR)
    machine.online()
    assert not machine.is_old(0, behind=8 * HOUR)
    machine.passed = 5.0
    machine.tells()  # set right
    assert not machine.is_old(0)


def test_gateway_clock_set_back_is_answered(machine: Machine) -> None:
    machine.tells()
    machine.online()
    assert not machine.is_old(0)
    machine.passed = 5.0
    machine.tells(behind=8 * HOUR)
    assert not machine.is_old(0, behind=8 * HOUR)


def test_skew_is_estimated_from_live_messages(machine: Machine) -> None:
    machine.ahead = 20 * MINUTE
    machine.online()
    answered = []
    for number in range(5):
        machine.passed = 2 * MINUTE + number
        said_at = NOW + machine.passed
        machine.clocks.record_message("a", said_at, said_at + machine.ahead)
        answered.append(not machine.clocks.is_old("a", said_at))
    assert answered == [False, False, True, True, True]


def test_backlog_at_login_does_not_set_the_skew(machine: Machine) -> None:
    machine.online()
    for number in range(5):
        machine.clocks.record_message("a", NOW - HOUR + number, NOW)
    assert machine.is_old(HOUR)


def test_skew_comes_from_gateway_time_or_fastest_message(machine: Machine) -> None:
    assert dict(machine.clocks.skews()) == {}
    for delay in (3600.0, 2.5, 0.4, 30.0):  # an old one, and some that were slow
        machine.clocks.record_message("a", 1000.0, 1000.0 + delay)
    machine.clocks.record_message("b", 1000.0, 1000.0 - 1200)
    assert dict(machine.clocks.skews()) == {"a": pytest.approx(0.4), "b": -1200.0}
    assert machine.clocks.wrong_clocks() == {"b": -1200.0}
    machine.tells(behind=300.0)
    assert dict(machine.clocks.skews()) == {"a": pytest.approx(300.0), "b": -1200.0}
    for number in range(WINDOW):  # b's clock was set right
        machine.clocks.record_message("b", number, number)
    assert machine.clocks.skew("b") == 0.0


def test_wrong_clock_is_logged_once_and_again_when_corrected(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    machine.tells(behind=300.0)
    machine.online()
    machine.clocks.check()
    assert caplog.messages == [
        "a: this machine's clock differs by +300 seconds from the gateway's; enable time synchronization"
    ]
    machine.tells()
    machine.clocks.check()
    machine.clocks.check()
    assert caplog.messages[1:] == ["a: the clocks agree again"]
