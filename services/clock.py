"""Type of clocks, durations in seconds, and local time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

Clock = Callable[[], float]  # returns Unix seconds; tests pass their own
MINUTE: Final = 60.0  # seconds
HOUR: Final = 3600.0
DAY: Final = 86400.0


class LocalTime:
    """A clock together with the time zone in which its times are shown."""

    def __init__(self, zone: ZoneInfo, clock: Clock) -> None:
        self.zone = zone
        self.clock = clock

    def at(self, seconds: float) -> datetime:
        """Return a time given in Unix seconds."""
        return datetime.fromtimestamp(seconds, self.zone)

    def now(self) -> datetime:
        """Return the current time."""
        return self.at(self.clock())

    def today(self) -> date:
        """Return the current date."""
        return self.now().date()

    def start_of_day(self) -> datetime:
        """Return the last midnight."""
        return self.now().replace(hour=0, minute=0, second=0, microsecond=0)
