"""Crontab lines on the days on which clocks are put forward and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.outreach.timed_messages import trigger

BERLIN = ZoneInfo("Europe/Berlin")  # 29 March 2026: 2:00 → 3:00; 25 October 2026: 3:00 → 2:00
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # half an hour; 5 April 2026: 2:00 → 1:30


def times(cron: str, start: datetime, hours: float, zone: ZoneInfo = BERLIN) -> list[str]:
    """When a line is due from a start (UTC) on, as the clock on the wall shows it, with its offset."""
    line, now, found = trigger(cron, zone), start, []
    previous: datetime | None = None
    while (due := line.get_next_fire_time(previous, now)) is not None and due < start + timedelta(hours=hours):
        assert due >= start
        found.append(due.strftime("%d %H:%M%z").removesuffix("00"))
        previous = due
        now = due.astimezone(UTC) + timedelta(seconds=30)
    return found


@pytest.mark.parametrize(
    ("cron", "due"),
    [
        ("30 2 * * *", ["28 02:30+01", "29 03:00+02", "30 02:30+02"]),  # the hour that does not come: at its end
        ("0 9 * * *", ["28 09:00+01", "29 09:00+02", "30 09:00+02"]),
        ("0 2,3 * * *", ["28 02:00+01", "28 03:00+01", "29 03:00+02", "30 02:00+02", "30 03:00+02"]),
        ("30 2 29 3 *", ["29 03:00+02"]),
    ],
)
def test_times_in_the_hour_skipped_in_spring(cron: str, due: list[str]) -> None:
    assert times(cron, datetime(2026, 3, 28, 0, 0, tzinfo=UTC), 60) == due


@pytest.mark.parametrize(
    ("cron", "due"),
    [
        ("30 2 * * *", ["24 02:30+02", "25 02:30+02", "26 02:30+01"]),  # the hour that comes twice: once
        ("0 9 * * *", ["24 09:00+02", "25 09:00+01", "26 09:00+01"]),
        ("0,30 2 25 10 *", ["25 02:00+02", "25 02:30+02"]),
    ],
)
def test_times_in_the_hour_repeated_in_autumn(cron: str, due: list[str]) -> None:
    assert times(cron, datetime(2026, 10, 24, 0, 0, tzinfo=UTC), 60) == due


def test_repeated_hour_is_due_once() -> None:
    assert times("30 2 * * *", datetime(2026, 10, 25, 1, 10, tzinfo=UTC), 30) == ["26 02:30+01"]


def test_hourly_job_runs_in_each_repeated_hour() -> None:
    forward = times("0 * * * *", datetime(2026, 3, 29, 0, 0, tzinfo=UTC), 3)
    assert forward == ["29 01:00+01", "29 03:00+02", "29 04:00+02"]
    back = times("0 * * * *", datetime(2026, 10, 25, 0, 0, tzinfo=UTC), 3)
    assert back == ["25 02:00+02", "25 02:00+01", "25 03:00+01"]
    assert len(times("*/5 * * * *", datetime(2026, 10, 24, 20, 0, tzinfo=UTC), 10)) == 120
    assert len(times("*/5 * * * *", datetime(2026, 3, 28, 20, 0, tzinfo=UTC), 10)) == 120


def test_clock_change_of_half_an_hour() -> None:
    start = datetime(2026, 4, 4, 13, 0, tzinfo=UTC)
    assert times("45 1 * * *", start, 24, LORD_HOWE) == ["05 01:45+11"]
    assert len(times("*/5 * * * *", start, 5, LORD_HOWE)) == 60


def test_impossible_date_returns_none() -> None:
    assert times("0 9 30 2 *", datetime(2026, 1, 1, tzinfo=UTC), 10) == []


@pytest.mark.parametrize("cron", ["* * * * *", "34 3 * * *", "0 * * * *"])
@pytest.mark.parametrize("at", [datetime(2026, 11, 29, 3, 34, tzinfo=UTC), datetime(2026, 10, 25, 1, 0, tzinfo=UTC)])
def test_no_time_is_its_own_successor(cron: str, at: datetime) -> None:
    """APScheduler asks for the next time until it is after now; at exactly a due time it would ask for ever."""
    line = trigger(cron, BERLIN)
    due = line.get_next_fire_time(None, at)
    following = line.get_next_fire_time(due, due)
    assert due is not None and following is not None
    assert following > due


def test_times_between_the_previous_one_and_now_are_left_out() -> None:
    """APScheduler asks for each of them, which took minutes after the clock was put forward by a year."""
    now = datetime(2026, 11, 29, 3, 34, 20, tzinfo=UTC)
    due = trigger("* * * * *", BERLIN).get_next_fire_time(now - timedelta(days=400), now)
    assert due == datetime(2026, 11, 29, 3, 35, tzinfo=UTC)
