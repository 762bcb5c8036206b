"""Decodes QR codes in received images, in a child process with limited memory and time."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import struct
import sys
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)
MAX_BYTES: Final = 10 * 1024 * 1024
SECONDS: Final = 5.0  # timeout per image, after which the child is killed
IDLE_SECONDS: Final = 60.0  # idle time after which the child is stopped, to free its memory
ROOT: Final = Path(__file__).parents[2]


class QrReader:
    """Decodes one image at a time. An image that crashes the child yields no codes."""

    def __init__(self, seconds: float = SECONDS, idle_seconds: float = IDLE_SECONDS) -> None:
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        self._lock = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._idle: asyncio.TimerHandle | None = None

    async def read(self, data: bytes) -> list[str]:
        """Return the contents of an image's QR codes; [] if it is too large or not an image."""
        if not data or len(data) > MAX_BYTES:
            return []
        async with self._lock:
            if self._idle is not None:
                self._idle.cancel()
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._ask(data)
            except (TimeoutError, OSError, ValueError) as error:
                log.warning("could not decode a picture of %d bytes: %s", len(data), type(error).__name__)
                await self._end_child()
                return []
            finally:
                self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._close_idle)

    async def close(self) -> None:
        """Stop the child process."""
        if self._idle is not None:
            self._idle.cancel()
        async with self._lock:
            await self._end_child()

    async def _ask(self, data: bytes) -> list[str]:
        child = self._child = self._child or await _start()
        if child.stdin is None or child.stdout is None:
            raise OSError("the child process has no pipes")
        child.stdin.write(struct.pack(">I", len(data)))
        child.stdin.write(data)  # not joined: a copy of a large picture takes memory
        await child.stdin.drain()
        codes: list[str] = json.loads(await child.stdout.readline())
        return codes

    def _close_idle(self) -> None:
        """Close the child's stdin, which ends it."""
        child = self._child
        if child is not None and not self._lock.locked():
            self._child = None
            if child.stdin is not None:
                child.stdin.close()

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            child.kill()
        await child.wait()


async def _start() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.moderation.picture_worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=ROOT,
        env={"PATH": os.defpath, "OPENBLAS_NUM_THREADS": "1"},
        limit=2**20,
    )
