"""Stops calling a server for a while after several consecutive failures."""

from __future__ import annotations

from typing import Final

from services.clock import Clock

FAILURES: Final = 3  # in a row
PAUSE: Final = 30.0  # seconds


class CircuitBreaker:
    """Counts the failures of one server."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._not_before = 0.0

    @property
    def is_open(self) -> bool:
        """Whether no requests are sent to the server for now."""
        return self._clock() < self._not_before

    def succeeded(self) -> None:
        """Record a response."""
        self._failures = 0

    def failed(self) -> None:
        """Record a failure."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._failures, self._not_before = 0, self._clock() + PAUSE
