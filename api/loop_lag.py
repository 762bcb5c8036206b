"""How late the event loop wakes what it should: seconds during which nothing else could run."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

EVERY: Final = 0.5  # seconds between two looks
KEPT: Final = 60  # looks that the largest is taken of: half a minute


class LoopLag:
    """Measures while `run` runs."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque((0.0,), KEPT)

    @property
    def most(self) -> float:
        """The largest lag of the last half minute, in seconds."""
        return max(self._lags)

    async def run(self) -> None:
        """Look again and again until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY
            await asyncio.sleep(EVERY)
            self._lags.append(max(0.0, loop.time() - due))
