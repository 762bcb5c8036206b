"""How far this machine's clock and WeChat's differ, measured by the messages of each account."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Final

WINDOW: Final = 20  # messages that are looked at


class ClockSkew:
    """A message arrives after it was said: of several, the one that was fastest tells the difference of the clocks."""

    def __init__(self) -> None:
        self._delays: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))

    def heard(self, account: str, said_at: float, arrived_at: float) -> None:
        """A message: when WeChat says it was said, and when it arrived by the clock here (both Unix seconds)."""
        self._delays[account].append(arrived_at - said_at)

    def seconds(self) -> Iterator[tuple[str, float]]:
        """Each account with the seconds that this machine is ahead of WeChat; behind when negative."""
        for account, delays in self._delays.items():
            yield account, min(delays)
