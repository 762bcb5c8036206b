"""Office hours at their boundaries."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from config.customer_service import HoursSettings
from services.support.hours import OfficeHours

ZONE = ZoneInfo("Asia/Shanghai")


def _hours(days: str, begin: str, end: str) -> OfficeHours:
    return OfficeHours(HoursSettings.model_validate({"days": days, "from": begin, "to": end}))


def _at(day: int, clock: str) -> float:
    """A time in a week whose day 1 is a Monday."""
    return datetime.fromisoformat(f"2027-02-{day:02} {clock}").replace(tzinfo=ZONE).timestamp()


@pytest.mark.parametrize(
    ("day", "clock", "is_open"),
    [
        (1, "08:59:59", False),
        (1, "09:30", False),
        (1, "09:31", True),
        (5, "17:44:59", True),
        (5, "17:45", False),
        (6, "12:00", False),
        (7, "12:00", True),
        (7, "00:30", False),
    ],
)
def test_open_from_begin_until_before_end(day: int, clock: str, is_open: bool) -> None:
    assert _hours("mon-fri,sun", "09:31", "17:45").is_open(_at(day, clock)) is is_open


@pytest.mark.parametrize(
    ("day", "clock", "is_open"),
    [
        (1, "01:59", False),
        (1, "21:59", False),
        (1, "22:00", True),
        (2, "01:59", True),
        (2, "02:00", False),
        (2, "22:00", False),
    ],
)
def test_part_after_midnight_belongs_to_the_day_before(day: int, clock: str, is_open: bool) -> None:
    assert _hours("mon", "22:00", "02:00").is_open(_at(day, clock)) is is_open


def test_equal_times_mean_all_day() -> None:
    hours = _hours("sun", "08:00", "08:00")
    assert [hours.is_open(_at(*at)) for at in ((7, "07:59"), (7, "08:00"), (8, "07:59"), (8, "08:00"))] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("day", "clock", "text"),
    [
        (1, "08:00", "今天 09:05"),
        (1, "09:05", "明天 09:05"),
        (2, "20:00", "周五 09:05"),
        (4, "20:00", "明天 09:05"),
        (6, "10:00", "周一 09:05"),
    ],
)
def test_next_opening(day: int, clock: str, text: str) -> None:
    assert _hours("fri-fri, mon-tue", "09:05", "18:00").describe_next_opening(_at(day, clock)) == text


def test_range_over_the_weekend_and_a_week_ahead() -> None:
    hours = _hours("sat-mon", "09:00", "18:00")
    assert [hours.is_open(_at(day, "12:00")) for day in range(1, 8)] == [True, *[False] * 4, True, True]
    weekly = _hours("mon", "09:00", "18:00")
    assert weekly.opens_at(_at(1, "18:00")) == datetime(2027, 2, 8, 9, tzinfo=ZONE)
