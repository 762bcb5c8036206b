"""An event on its way from the gateway to its conversation, and the order in which the events of an account came."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from wechat.events import Event, RawEvent

PATIENCE: Final = 1.0  # seconds that an event whose conversation nobody knows yet may hold up those who came after it


class Arrival:
    """One event: what came, its row, where it belongs once that is known, what it means once that is read."""

    __slots__ = ("_event", "_waiter", "at", "conversation", "late", "raw", "retried", "row", "settled")

    def __init__(self, raw: RawEvent, row: int, *, retried: bool = False) -> None:
        self.raw = raw
        self.row = row
        self.retried = retried  # an earlier process stored it, and may have died of it
        self.conversation: str | None = None
        self.late = False  # it held the others up too long, and goes by itself
        self.settled = False
        self.at = asyncio.get_running_loop().time()
        self._event: Event | None = None
        self._waiter: asyncio.Future[None] | None = None

    def settle(self, event: Event | None) -> None:
        """It is read. None: it stands for nothing, or cannot be read."""
        self._event, self.settled = event, True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def event(self) -> Event | None:
        """What it means, once it is read; CancelledError after `give_up_waiting`."""
        if not self.settled:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._event

    def give_up_waiting(self) -> None:
        """Nobody reads it any more."""
        if self._waiter is not None:
            self._waiter.cancel()


class ArrivalSequencer:
    """Keeps the order of arrival: each event is passed on when it is placed or settled, and all before it were.

    Until its message is read nobody knows whose line an event belongs to; so it holds the others up, for PATIENCE.
    """

    def __init__(self, pass_on: Callable[[Arrival], None]) -> None:
        self._pass_on = pass_on
        self._waiting: deque[Arrival] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, arrival: Arrival) -> None:
        """An event came."""
        self._waiting.append(arrival)

    def place(self, arrival: Arrival, conversation: str) -> None:
        """It is known where the event belongs."""
        if arrival.conversation is None:
            arrival.conversation = conversation
            self.settled(arrival)

    def settled(self, arrival: Arrival) -> None:
        """It is placed, or known to belong nowhere."""
        if arrival.late:
            arrival.late = False
            self._pass_on(arrival)
        elif self._timer is None or (self._waiting and self._waiting[0] is arrival):
            self._move()

    def stop(self) -> None:
        """Pass nothing on any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _move(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self._waiting:
            first = self._waiting[0]
            known = first.conversation is not None or first.settled
            if not known and loop.time() < first.at + PATIENCE:
                self._timer = loop.call_at(first.at + PATIENCE, self._move)
                return
            self._waiting.popleft()
            if known:
                self._pass_on(first)
            else:
                first.late = True
