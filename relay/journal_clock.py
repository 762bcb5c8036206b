"""The clock of a journal, which counts the time for which the journal has been open."""

from __future__ import annotations

import time


class JournalClock:
    """Seconds, counted on from the value at which the journal was closed.

    The machine's clock may be wrong when it starts. If the age of events were read from it, setting it forward would
    delete those that nobody has received. The time while the relay does not run is not part of their age.
    """

    def __init__(self) -> None:
        self._ahead = 0.0  # of time.monotonic()

    @property
    def now(self) -> float:
        """Return the current time. It never goes back, in one process or the next."""
        return time.monotonic() + self._ahead

    def start(self, now: float) -> None:
        """Count on from a value."""
        self._ahead = now - time.monotonic()
