"""Measurement of the event loop's lag."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

EVERY: Final = 0.5  # seconds between samples
KEPT: Final = 60  # samples of which the maximum is reported: half a minute


class LoopLag:
    """Samples the lag while `run` is running."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque((0.0,), KEPT)

    @property
    def maximum(self) -> float:
        """Return the largest lag of the last half minute, in seconds."""
        return max(self._lags)

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY
            await asyncio.sleep(EVERY)
            self._lags.append(max(0.0, loop.time() - due))
