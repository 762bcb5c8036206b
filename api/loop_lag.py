"""Measurement of the event loop's lag."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

SAMPLE_SECONDS: Final = 0.5  # seconds between samples
MAX_SAMPLES: Final = 60  # samples of which the maximum is reported: half a minute


class LoopLag:
    """Samples the lag while `run` is running."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque((0.0,), MAX_SAMPLES)

    @property
    def maximum(self) -> float:
        """Return the largest lag of the last half minute, in seconds."""
        return max(self._lags)

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + SAMPLE_SECONDS
            await asyncio.sleep(SAMPLE_SECONDS)
            self._lags.append(max(0.0, loop.time() - due))
