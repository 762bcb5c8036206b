"""Limits per person and hour."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from config.settings import LimitSettings
from services.messaging.budgets import MEGABYTE, Budget, Budgets, Verdict
from tests.services.clock import Clock

ALLOWED, EXCEEDED, SILENT = Verdict.ALLOWED, Verdict.EXCEEDED, Verdict.SILENT


def test_budget_slides_per_person() -> None:
    clock = Clock()
    budgets = Budgets(LimitSettings(tickets=2), clock)
    verdicts = []
    for _ in range(4):
        verdicts.append(budgets.spend(Budget.TICKETS, "a", "one"))
        clock.now += 600
    assert verdicts == [ALLOWED, ALLOWED, EXCEEDED, SILENT]
    assert budgets.spend(Budget.TICKETS, "a", "other") is ALLOWED
    assert budgets.spend(Budget.TICKETS, "b", "one") is ALLOWED
    clock.now += 1200 + 1  # an hour after the first
    assert [budgets.spend(Budget.TICKETS, "a", "one") for _ in range(3)] == [ALLOWED, EXCEEDED, SILENT]


def test_clock_set_back_does_not_block() -> None:
    clock = Clock()
    budgets = Budgets(LimitSettings(tickets=1), clock)
    assert budgets.spend(Budget.TICKETS, "a", "one") is ALLOWED
    clock.now -= 86400
    assert budgets.spend(Budget.TICKETS, "a", "one") is ALLOWED


def test_equal_texts_in_any_form_share_a_budget() -> None:
    clock = Clock()
    budgets = Budgets(LimitSettings(repeats=2), clock)
    said = [budgets.repeat("a", "one", text) for text in ("ABC", "abc ", "ＡＢＣ", "别的", "abc")]
    assert said == [ALLOWED, ALLOWED, EXCEEDED, ALLOWED, SILENT]
    clock.now += 61
    assert budgets.repeat("a", "one", "abc") is ALLOWED


def test_window_and_megabyte_are_exact() -> None:
    clock = Clock()
    budgets = Budgets(LimitSettings(tickets=1, repeats=1, megabytes=1), clock)
    assert budgets.spend(Budget.BYTES, "a", "one", 1024 * 1024) is ALLOWED
    assert budgets.spend(Budget.BYTES, "a", "two", 1024 * 1024 + 1) is EXCEEDED
    assert budgets.spend(Budget.TICKETS, "a", "one") is ALLOWED
    assert budgets.repeat("a", "one", "x") is ALLOWED
    clock.now += 59.5
    assert budgets.repeat("a", "one", "x") is EXCEEDED
    clock.now += 0.5
    assert budgets.repeat("a", "one", "x") is ALLOWED, "a minute after the first"
    clock.now += 3600 - 60.5
    assert budgets.spend(Budget.TICKETS, "a", "one") is EXCEEDED
    assert not budgets.is_below_limit(Budget.TICKETS, "a", "one")
    clock.now += 0.5
    assert budgets.is_below_limit(Budget.TICKETS, "a", "one")
    assert budgets.spend(Budget.TICKETS, "a", "one") is ALLOWED
    clock.now -= 0.5
    assert budgets.spend(Budget.TICKETS, "a", "one") is ALLOWED, "what lies in the future does not count"


def test_notice_is_given_again_after_an_allowed_one() -> None:
    clock = Clock()
    budgets = Budgets(LimitSettings(tickets=1), clock)
    verdicts = [budgets.spend(Budget.TICKETS, "a", "one") for _ in range(3)]
    clock.now += 3600
    verdicts += [budgets.spend(Budget.TICKETS, "a", "one") for _ in range(3)]
    assert verdicts == [ALLOWED, EXCEEDED, SILENT] * 2


def test_those_who_were_counted_longest_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.messaging.budgets.MAX_KNOWN", 2)
    budgets = Budgets(LimitSettings(tickets=1), Clock())
    for who in ("one", "two", "one", "three"):
        budgets.spend(Budget.TICKETS, "a", who)
    assert [budgets.is_below_limit(Budget.TICKETS, "a", who) for who in ("one", "two", "three")] == [False, True, False]


def test_every_budget_has_its_own_limit() -> None:
    settings = LimitSettings(replies=1, relays=2, tickets=3, megabytes=4, repeats=5)
    budgets = Budgets(settings, Clock())

    def allowed(count: Callable[[], Verdict]) -> int:
        return [count() for _ in range(9)].count(ALLOWED)

    for budget, most in ((Budget.REPLIES, 1), (Budget.RELAYS, 2), (Budget.TICKETS, 3)):
        assert allowed(partial(budgets.spend, budget, "a", "one")) == most
    assert allowed(partial(budgets.spend, Budget.BYTES, "a", "one", MEGABYTE)) == 4
    assert allowed(partial(budgets.repeat, "a", "one", "x")) == 5


def test_bytes_count_by_size() -> None:
    clock = Clock()
    budgets = Budgets(LimitSettings(megabytes=2), clock)
    assert budgets.is_below_limit(Budget.BYTES, "a", "one")
    assert budgets.spend(Budget.BYTES, "a", "one", MEGABYTE) is ALLOWED
    assert budgets.spend(Budget.BYTES, "a", "one", MEGABYTE + 1) is EXCEEDED
    assert budgets.spend(Budget.BYTES, "a", "one", MEGABYTE) is ALLOWED
    assert not budgets.is_below_limit(Budget.BYTES, "a", "one")
    clock.now += 3601
    assert budgets.is_below_limit(Budget.BYTES, "a", "one")
