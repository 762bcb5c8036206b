"""Local time: days begin at midnight of the zone, and durations are in seconds."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.clock import DAY, HOUR, MINUTE, LocalTime

SHANGHAI = ZoneInfo("Asia/Shanghai")  # without daylight saving time


def local_time(*parts: int) -> LocalTime:
    """A clock that stands at this local time."""
    return LocalTime(SHANGHAI, datetime(*parts, tzinfo=SHANGHAI).timestamp)  # type: ignore[arg-type, misc]


def test_day_begins_at_midnight_of_the_zone() -> None:
    time = local_time(2026, 1, 2, 3, 4, 5, 678_000)
    assert time.now() == datetime(2026, 1, 2, 3, 4, 5, 678_000, SHANGHAI)
    assert time.today() == date(2026, 1, 2), "it is still 1 January in UTC"
    assert time.start_of_day() == datetime(2026, 1, 2, tzinfo=SHANGHAI)
    assert local_time(2026, 1, 2).start_of_day() == datetime(2026, 1, 2, tzinfo=SHANGHAI)


def test_durations_lead_to_the_next_minute_hour_and_day() -> None:
    time = local_time(2026, 12, 31)
    later = [time.at(time.clock() + seconds) for seconds in (MINUTE, HOUR, DAY)]
    assert later == [
        datetime(2026, 12, 31, 0, 1, tzinfo=SHANGHAI),
        datetime(2026, 12, 31, 1, tzinfo=SHANGHAI),
        datetime(2027, 1, 1, tzinfo=SHANGHAI),
    ]
