"""How long a commit waits for more writes.

While events queue up, commits of a few writes each would take the CPU that handling the events needs.
"""

from __future__ import annotations

from typing import Final

MIN_BACKLOG: Final = 8  # unfinished events; with fewer, writes are committed without delay
DELAY_PER_EVENT: Final = 0.001  # seconds of delay per unfinished event; handling it takes several times as long
MAX_DELAY: Final = 0.1  # seconds


class CommitDelay:
    """The delay of one store. Changed on the event loop, read by the writer thread."""

    def __init__(self) -> None:
        self._backlog = 0

    def count(self, change: int) -> None:
        """Add to the number of unfinished events."""
        self._backlog += change

    def seconds(self) -> float:
        """Return the delay of a commit that could begin now."""
        return min(MAX_DELAY, self._backlog * DELAY_PER_EVENT) if self._backlog >= MIN_BACKLOG else 0.0
