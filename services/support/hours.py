"""Office hours: days and times, possibly over midnight, in a configured time zone."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.customer_service import HoursSettings

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES = "一二三四五六日"


class OfficeHours:
    """Weekly hours. The part after midnight belongs to the day on which it began; equal times mean all day."""

    def __init__(self, hours: HoursSettings) -> None:
        self.zone = ZoneInfo(hours.timezone)
        self._days = _days(hours.days)
        self._from = _minutes(hours.from_)
        self._to = _minutes(hours.to)
        if self._to <= self._from:
            self._to += 24 * 60

    def is_open(self, now: float) -> bool:
        """Whether the office is open at this time (Unix seconds)."""
        local = datetime.fromtimestamp(now, self.zone)
        minute = local.hour * 60 + local.minute
        yesterday = (local.weekday() - 1) % 7
        today_on = local.weekday() in self._days and self._from <= minute < self._to
        return today_on or (yesterday in self._days and minute + 24 * 60 < self._to)

    def opens_at(self, now: float) -> datetime:
        """Return the next opening after a time at which it is closed."""
        local = datetime.fromtimestamp(now, self.zone)
        for ahead in range(8):
            day = local.date() + timedelta(days=ahead)
            begin = datetime.combine(day, time(self._from // 60 % 24, self._from % 60), self.zone)
            if day.weekday() in self._days and begin > local:
                return begin
        raise ValueError("the hours include no day")

    def describe_next_opening(self, now: float) -> str:
        """Format the next opening for people: 今天 09:00, 明天 09:00, 周一 09:00."""
        begin = self.opens_at(now)
        ahead = (begin.date() - datetime.fromtimestamp(now, self.zone).date()).days
        day = ("今天", "明天")[ahead] if ahead < 2 else f"周{_NAMES[begin.weekday()]}"
        return f"{day} {begin:%H:%M}"


def _days(text: str) -> frozenset[int]:
    """Parse `mon-fri,sun`; a range may include the weekend (fri-mon)."""
    days: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        days.update((begin + n) % 7 for n in range((end - begin) % 7 + 1))
    return frozenset(days)


def _minutes(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)
