"""Difference between this machine's clock and WeChat's, measured by the messages of each account."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Final

WINDOW: Final = 20  # number of messages considered


class ClockSkew:
    """Estimates the skew as the minimum delay of recent messages, since every message arrives after it was sent."""

    def __init__(self) -> None:
        self._delays: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))

    def heard(self, account: str, said_at: float, arrived_at: float) -> None:
        """Record the time of a message by WeChat and of its arrival here (Unix seconds)."""
        self._delays[account].append(arrived_at - said_at)

    def seconds(self) -> Iterator[tuple[str, float]]:
        """Yield each account and the seconds that this machine is ahead of WeChat (negative: behind)."""
        for account, delays in self._delays.items():
            yield account, min(delays)
