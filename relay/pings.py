"""Pings of an HTTP/2 connection: whether the peer is alive, and whether it has read what was sent."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from relay import frames
from relay.writer import FrameWriter

READ_MARK: Final = b"all read"
KEEPALIVE: Final = b"alive..."


class Pings:
    """Sends pings, and closes the connection if nothing at all arrives for a whole interval."""

    def __init__(self, writer: FrameWriter) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._waiters: deque[asyncio.Future[bool]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.has_traffic = True  # since the last ping

    def start(self, interval: float) -> None:
        """Send a ping every `interval` seconds."""
        self._timer = self._loop.call_later(interval, self._check, interval)

    def stop(self) -> None:
        """Stop after the connection was lost."""
        if self._timer is not None:
            self._timer.cancel()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(False)

    async def wait_until_read(self) -> bool:
        """Wait until the peer has read everything sent so far; return False if the connection is lost before."""
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiters.append(waiter)
        self._writer.write(frames.frame(frames.PING, 0, 0, READ_MARK))
        return await waiter

    def received(self, flags: int, payload: bytes) -> None:
        """Answer the peer's ping, or note that ours was answered."""
        if not flags & frames.ACK:
            self._writer.write(frames.frame(frames.PING, frames.ACK, 0, payload))
        elif payload == READ_MARK and self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(True)

    def _check(self, interval: float) -> None:
        if not self.has_traffic:
            self._writer.abort()
            return
        self.has_traffic = False
        self._writer.write(frames.frame(frames.PING, 0, 0, KEEPALIVE))
        self.start(interval)
