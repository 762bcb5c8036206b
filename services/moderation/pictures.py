"""QR codes in pictures that people send."""

from __future__ import annotations

import asyncio
from typing import Final

MAX_BYTES: Final = 15_000_000


class QrReader:
    """Reads QR codes in a thread, few pictures at once."""

    def __init__(self, at_once: int = 2) -> None:
        self._places = asyncio.Semaphore(at_once)

    async def read(self, data: bytes) -> list[str]:
        """What the QR codes of a picture say; nothing for what is too large or no picture."""
        if not data or len(data) > MAX_BYTES:
            return []
        async with self._places:
            return await asyncio.to_thread(_read, data)


def _read(data: bytes) -> list[str]:
    # Late: most bots are shown no code for days, and what reads them costs every start memory and time.
    from services.moderation.barcodes import codes_in

    return codes_in(data)
