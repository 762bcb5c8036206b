"""Type of clocks, and durations in seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Clock = Callable[[], float]  # returns Unix seconds; tests pass their own
MINUTE: Final = 60.0  # seconds
HOUR: Final = 3600.0
DAY: Final = 86400.0
