"""Keeps the events of an account in the order of their arrival while their payloads are read concurrently."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Final

from wechat.events import Event, RawEvent

MAX_WAIT: Final = 2.0  # seconds of reading for which an event of unknown conversation may delay later events
MAX_WAIT_AFTER_LEAVING: Final = 10.0  # for an event left by an earlier process, before the gateway is connected


class Arrival:
    """A stored event that is not yet in the queue of its conversation."""

    __slots__ = ("_event", "_waiter", "conversation", "deadline", "late", "raw", "retried", "row", "settled")

    def __init__(self, raw: RawEvent, row: int, *, retried: bool = False) -> None:
        self.raw = raw
        self.row = row
        self.retried = retried  # stored by an earlier process, which may have crashed while handling it
        self.conversation: str | None = None
        self.late = False  # no longer delays later events
        self.settled = False
        self.deadline = math.inf  # of the event loop's clock, from the moment its payload is being read
        self._event: Event | None = None
        self._waiter: asyncio.Future[None] | None = None

    def begin_reading(self) -> None:
        """Start the time for which the event may delay others. Unread backlog does not count."""
        wait = MAX_WAIT_AFTER_LEAVING if self.retried else MAX_WAIT
        self.deadline = asyncio.get_running_loop().time() + wait

    def settle(self, event: Event | None) -> None:
        """Set the resolved event; None if it is ignored or unreadable."""
        self._event, self.settled = event, True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def event(self) -> Event | None:
        """Wait for the resolved event; raises CancelledError after `stop_waiting`."""
        if not self.settled:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._event

    def stop_waiting(self) -> None:
        """Cancel the waiter, because the payload will not be read any more."""
        if self._waiter is not None:
            self._waiter.cancel()


class ArrivalSequencer:
    """Passes events on in the order of arrival.

    The conversation of an event is unknown until its payload is read. It delays later events until then, or until its
    deadline.
    """

    def __init__(self, pass_on: Callable[[Arrival], None]) -> None:
        self._pass_on = pass_on
        self._waiting: deque[Arrival] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, arrival: Arrival) -> None:
        """Add an event that has arrived."""
        self._waiting.append(arrival)

    def place(self, arrival: Arrival, conversation: str) -> None:
        """Set the conversation of an event."""
        if arrival.conversation is None:
            arrival.conversation = conversation
            self.settled(arrival)

    def reading(self, arrival: Arrival) -> None:
        """Record that the payload of an event is being read."""
        arrival.begin_reading()
        if self._waiting and self._waiting[0] is arrival:
            self._move()

    def settled(self, arrival: Arrival) -> None:
        """Continue after an event got its conversation or was found to have none."""
        if arrival.late:
            arrival.late = False
            self._pass_on(arrival)
        elif self._timer is None or (self._waiting and self._waiting[0] is arrival):
            self._move()

    def stop(self) -> None:
        """Stop passing events on."""
        if self._timer is not None:
            self._timer.cancel()

    def _move(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self._waiting:
            first = self._waiting[0]
            is_placed = first.conversation is not None or first.settled
            if not is_placed and loop.time() < first.deadline:
                if first.deadline != math.inf:
                    self._timer = loop.call_at(first.deadline, self._move)
                return
            self._waiting.popleft()
            if is_placed:
                self._pass_on(first)
            else:
                first.late = True
