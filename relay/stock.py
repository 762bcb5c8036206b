"""Delivery tracking for clients without relay support, which do not acknowledge events."""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Final

from protocol import puppet_pb2 as pb
from relay.journal import Journal

SETTLED: Final = 2.0  # seconds after which an event sent on an open connection counts as received
ID_KEYS: Final[dict[int, str]] = {
    pb.EVENT_MESSAGE: "messageId",
    pb.EVENT_FRIENDSHIP: "friendshipId",
    pb.EVENT_ROOM_INVITE: "roomInvitationId",
}


class Delivered:
    """Recently sent events.

    Events are received if the client requests their payload, and so are all earlier ones. When the connection is lost,
    the other events of the last two seconds are sent again to the next connection.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._sent: deque[tuple[int, float, str]] = deque()

    def sent(self, number: int, body: bytes) -> None:
        """Record an event sent to the client."""
        self._sent.append((number, time.monotonic(), _id_of(body)))
        self.settle()

    def settle(self) -> None:
        """Mark events sent long enough ago as received."""
        before, reached = time.monotonic() - SETTLED, 0
        while self._sent and self._sent[0][1] < before:
            reached = self._sent.popleft()[0]
        if reached:
            self._journal.take(reached)

    def asked(self, request: bytes) -> None:
        """Mark events as received when the client requests a payload."""
        if not self._sent:
            return
        try:
            id = pb.Id.FromString(request).id
        except ValueError:
            return
        reached = max((number for number, _, of in self._sent if of == id), default=0)
        while reached and self._sent and self._sent[0][0] <= reached:
            self._sent.popleft()
        if reached:
            self._journal.take(reached)

    def lost(self) -> None:
        """Reset after the loss of the connection."""
        self._sent.clear()


def _id_of(body: bytes) -> str:
    event = pb.EventResponse.FromString(body)
    key = ID_KEYS.get(event.type)
    if key is None:
        return ""
    try:
        return str(json.loads(event.payload)[key])
    except (ValueError, KeyError, TypeError):
        return ""
