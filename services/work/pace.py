"""How fast a delivery queue may start its jobs."""

from __future__ import annotations

from typing import Protocol


class Pace(Protocol):
    """Rate limiter of a queue. Delays are in seconds, 0 = now."""

    def queue_delay(self) -> float:
        """Return the delay before any job may start."""

    def key_delay(self, key: str) -> float:
        """Return the delay before a job with this key may start."""

    def spend(self, key: str) -> None:
        """Count a job that starts now."""


class NoPace:
    """No rate limit."""

    def queue_delay(self) -> float:
        """Return 0."""
        return 0

    def key_delay(self, key: str) -> float:
        """Return 0."""
        return 0

    def spend(self, key: str) -> None:
        """Do nothing."""
