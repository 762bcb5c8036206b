"""The event stream of a relay: stored events of the journal in order, interleaved with events that are not stored."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import takewhile
from typing import Final

from google.protobuf.message import DecodeError

from protocol import puppet_pb2 as pb
from relay.journal import Journal, JournalError

log = logging.getLogger(__name__)

NumberedEvent = tuple[int, bytes]  # number (0: not stored), EventResponse
RECENT: Final = 1000  # stored events cached in memory, so that a client that keeps up causes no disk reads
BATCH: Final = 200
MAX_UNSTORED: Final = 2000  # queued events that are not stored; the oldest are dropped for a slow client
MAX_UNWRITTEN: Final = 1000

# Events that are meaningful whenever they are read. All others describe the current state; instead of repeating old
# ones, a new client gets the last of them.
STORED_EVENTS: Final = frozenset(
    {
        pb.EVENT_MESSAGE,
        pb.EVENT_POST,
        pb.EVENT_FRIENDSHIP,
        pb.EVENT_ROOM_INVITE,
        pb.EVENT_ROOM_JOIN,
        pb.EVENT_ROOM_LEAVE,
        pb.EVENT_ROOM_TOPIC,
        pb.EVENT_DIRTY,
    }
)
HEARTBEAT: Final = pb.EventResponse(
    type=pb.EVENT_HEARTBEAT, payload='{"data":"Wechaty Puppet gRPC stream connect successfully"}'
)


class AccountStatus:
    """The current state of the account: its last login, ready and scan events."""

    def __init__(self) -> None:
        self._login: bytes | None = None
        self._ready: bytes | None = None
        self._scan: bytes | None = None

    def update(self, kind: int, body: bytes) -> None:
        """Record an event."""
        if kind == pb.EVENT_LOGIN:
            self._login, self._scan = body, None
        elif kind == pb.EVENT_READY:
            self._ready = body
        elif kind == pb.EVENT_LOGOUT:
            self.clear()
        elif kind == pb.EVENT_SCAN:
            self._scan = body

    def clear(self) -> None:
        """Reset after a logout or lost gateway."""
        self._login = self._ready = self._scan = None

    def first_events(self) -> list[bytes]:
        """Return the first events for a new client."""
        state = self._login or self._scan
        return [HEARTBEAT.SerializeToString(), *([state] if state else [])]

    def later_events(self) -> list[bytes]:
        """Return the events that follow: the Node client misses a ready event too close to the first events."""
        return [self._ready] if self._ready and self._login else []


class Feed:
    """The event stream of a gateway."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._recent: deque[NumberedEvent] = deque(maxlen=RECENT)
        # (number of the stored event before it, event)
        self._unstored: deque[tuple[int, bytes]] = deque(maxlen=MAX_UNSTORED)
        self._arrived = asyncio.Event()
        self._unwritten = 0  # events that arrived and are not on disk yet
        self._has_room = asyncio.Event()
        self.account_status = AccountStatus()
        self._subscriber: object | None = None  # the subscribers of events that are not stored
        self.received = 0
        self.not_stored = 0

    async def put(self, bodies: Sequence[bytes]) -> None:
        """Add events of the gateway; waits while writing is behind."""
        self.received += len(bodies)
        numbered = []
        for body in bodies:
            try:
                kind = pb.EventResponse.FromString(body).type
            except DecodeError:
                log.warning("an event of the gateway cannot be decoded")
                continue
            self.account_status.update(kind, body)
            if kind in STORED_EVENTS:
                numbered.append(body)
            else:
                self._add_unstored(body)
        if not numbered:
            return
        self._unwritten += len(numbered)
        self._journal.append(numbered, partial(self._written, numbered))
        while self._unwritten > MAX_UNWRITTEN:  # may be cancelled with the connection; what has arrived is stored
            self._has_room.clear()
            await self._has_room.wait()

    def _written(self, bodies: Sequence[bytes], first: int, error: JournalError | None) -> None:
        self._unwritten -= len(bodies)
        self._has_room.set()
        if error is not None:
            self.not_stored += len(bodies)
            for body in bodies:
                self._add_unstored(body)
            return
        self._journal.stored = first + len(bodies) - 1
        self._recent.extend(enumerate(bodies, first))
        self._arrived.set()

    def _add_unstored(self, body: bytes) -> None:
        if self._subscriber is not None:
            self._unstored.append((self._journal.stored, body))
            self._arrived.set()

    @contextmanager
    def subscribe(self, after: int) -> Iterator[AsyncIterator[list[NumberedEvent]]]:
        """Yield an iterator of the stored events after a number, and of those from now on that are not stored."""
        self._unstored.clear()
        self._subscriber = subscriber = object()
        try:
            yield self._events(after)
        finally:
            if self._subscriber is subscriber:
                self._subscriber = None

    async def _events(self, after: int) -> AsyncIterator[list[NumberedEvent]]:
        """Yield events in order and without end; those that are available are yielded together."""
        while True:
            self._arrived.clear()
            events, after = await self._next(after, self._journal.stored)
            if events:
                yield events
            elif after >= self._journal.stored:
                await self._arrived.wait()

    async def _next(self, after: int, stored: int) -> tuple[list[NumberedEvent], int]:
        """Return the next events, and the number up to which there are no others."""
        stored_events = await self._read_stored(after) if after < stored else []
        events: list[NumberedEvent] = []
        for number, body in stored_events:
            self._append_unstored(events, number)
            events.append((number, body))
        # Without any, those up to `stored` have been deleted.
        end = stored_events[-1][0] if stored_events else max(after, stored)
        if end >= stored:
            self._append_unstored(events, end + 1)
        return events, end

    def _append_unstored(self, events: list[NumberedEvent], before: int) -> None:
        while self._unstored and self._unstored[0][0] < before:
            events.append((0, self._unstored.popleft()[1]))

    async def _read_stored(self, after: int) -> list[NumberedEvent]:
        """Return stored events after a number. Numbers whose write failed and deleted ones are skipped."""
        if self._recent and self._recent[0][0] <= after + 1:
            fresh = list(takewhile(lambda event: event[0] > after, reversed(self._recent)))
            return fresh[::-1]
        rows = await self._journal.read(after, BATCH)
        return [(number, body) for number, _, body in rows] or [event for event in self._recent if event[0] > after]
