"""Limits per person and hour."""

from __future__ import annotations

from config.settings import LimitSettings
from services.messaging.budgets import MEGABYTE, Budget, Budgets, Verdict

ALLOWED, EXCEEDED, SILENT = Verdict.ALLOWED, Verdict.EXCEEDED, Verdict.SILENT


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


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
    said = [budgets.repeat("a", "one", words) for words in ("ABC", "abc ", "ＡＢＣ", "别的", "abc")]
    assert said == [ALLOWED, ALLOWED, EXCEEDED, ALLOWED, SILENT]
    clock.now += 61
    assert budgets.repeat("a", "one", "abc") is ALLOWED


def test_bytes_count_by_size() -> None:
    clock = Clock()
    budgets = Budgets(LimitSettings(megabytes=2), clock)
    assert budgets.has_left(Budget.BYTES, "a", "one")
    assert budgets.spend(Budget.BYTES, "a", "one", MEGABYTE) is ALLOWED
    assert budgets.spend(Budget.BYTES, "a", "one", MEGABYTE + 1) is EXCEEDED
    assert budgets.spend(Budget.BYTES, "a", "one", MEGABYTE) is ALLOWED
    assert not budgets.has_left(Budget.BYTES, "a", "one")
    clock.now += 3601
    assert budgets.has_left(Budget.BYTES, "a", "one")
