"""The content of a file being received: small ones in memory, large ones in a temporary file."""

from __future__ import annotations

import asyncio
import tempfile
from typing import IO, Final

from errors import WeChatRefused
from wechat.entities import Media

MAX_IN_MEMORY: Final = 10 * 1024 * 1024  # bytes of a file that is wanted in memory
PIECE: Final = 2 * 1024 * 1024  # written to disk at a time


class ReceivedFile:
    """Collects at most `limit` bytes, else WeChatRefused. `on_disk`: large content goes to a temporary file."""

    def __init__(self, limit: int, *, on_disk: bool) -> None:
        self._limit = limit
        self._on_disk = on_disk
        self._size = 0
        self._piece = bytearray()
        self._file: IO[bytes] | None = None

    async def write(self, data: bytes) -> None:
        """Append bytes."""
        self._size += len(data)
        if self._size > self._limit:
            self.close()
            raise WeChatRefused("file", f"more than {self._limit} bytes")
        self._piece += data
        if self._on_disk and len(self._piece) > PIECE:
            await asyncio.to_thread(self._flush)

    def _flush(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it belongs to the Media
        self._file.write(self._piece)
        self._piece.clear()

    async def media(self, name: str) -> Media:
        """Return the complete file."""
        if self._file is None:
            return Media(name, bytes(self._piece))
        await asyncio.to_thread(self._flush)
        return Media(name, b"", self._file)

    def close(self) -> None:
        """Discard the content."""
        self._piece.clear()
        if self._file is not None:
            self._file.close()
