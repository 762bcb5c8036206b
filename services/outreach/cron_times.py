"""Times of a crontab line in zones with daylight saving time.

A line with fixed hours is due once a day: the first time in a repeated hour, and at the end of a skipped hour. A line
for every hour is due in each hour that occurs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

MAX_CLOCK_SHIFT: Final = timedelta(hours=3)  # largest step by which clocks are set back
NEXT: Final = timedelta(microseconds=1)


class CronTimes(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """The times of five crontab fields in a time zone; raises ValueError for invalid fields."""

    def __init__(self, fields: list[str], zone: ZoneInfo) -> None:
        self._cron = CronTrigger.from_crontab(" ".join(fields), timezone=UTC)  # in local time
        self._zone = zone
        self._is_every_hour = fields[1].startswith("*")

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Return the first time from now on, but not the previous one again.

        APScheduler asks in a loop for all times up to now, and runs the job once for all of them. Those between the
        previous one and now are left out: after the clock was put a year forward they are half a million for a job.
        """
        after = now.astimezone(UTC)
        if previous_fire_time is not None and previous_fire_time.astimezone(UTC) == after:
            after += NEXT
        due = self._due(after)
        if self._is_every_hour and (change := self._clock_change_back(after)) is not None:
            repeated = self._shown_next(self._wall_clock(change))
            due = min(filter(None, (due, repeated and repeated.replace(tzinfo=self._zone, fold=1).astimezone(UTC))))
        return None if due is None else due.astimezone(self._zone)

    def _due(self, after: datetime) -> datetime | None:
        wall_clock = self._wall_clock(after)
        while (due := self._shown_next(wall_clock)) is not None:
            first, second = (due.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for fold in (0, 1))
            if first > second:  # such a time is not shown on that day
                at = None if self._is_every_hour else self._change(second, first)
            else:
                at = second if first < after and self._is_every_hour else first
            if at is not None and at >= after:
                return at
            wall_clock = due + NEXT
        return None

    def _wall_clock(self, at: datetime) -> datetime:
        """Return the local wall clock time, without a time zone."""
        return at.astimezone(self._zone).replace(tzinfo=None, fold=0)

    def _shown_next(self, wall_clock: datetime) -> datetime | None:
        due = self._cron.get_next_fire_time(None, wall_clock.replace(tzinfo=UTC))
        return None if due is None else due.replace(tzinfo=None)

    def _clock_change_back(self, after: datetime) -> datetime | None:
        """Return when the clocks are put back, if that is within the hours that are repeated."""
        end = after + MAX_CLOCK_SHIFT
        return self._change(after, end) if self._offset(end) < self._offset(after) else None

    def _change(self, start: datetime, end: datetime) -> datetime:
        """Return the moment between two (UTC) from which the zone's offset is that of the end."""
        low, high = int(start.timestamp()), int(end.timestamp())
        last = self._offset(end)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._offset(datetime.fromtimestamp(middle, UTC)) == last else (middle, high)
        return datetime.fromtimestamp(high, UTC)

    def _offset(self, at: datetime) -> timedelta:
        return at.astimezone(self._zone).utcoffset() or timedelta()
