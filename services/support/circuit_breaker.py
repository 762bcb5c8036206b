"""A server that fails several times in a row is left alone for a while, so that nobody waits for it in vain."""

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
        """Whether the server is left alone now."""
        return self._clock() < self._not_before

    def succeeded(self) -> None:
        """The server answered."""
        self._failures = 0

    def failed(self) -> None:
        """The server was slow, wrong or away."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._failures, self._not_before = 0, self._clock() + PAUSE
