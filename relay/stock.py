"""How far a client has the events that knows nothing of relays, and so acknowledges none."""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Final

from protocol import puppet_pb2 as pb
from relay.journal import Journal

SETTLED: Final = 2.0  # seconds after which what was sent on a connection that still stands has arrived
ID_KEYS: Final[dict[int, str]] = {
    pb.EVENT_MESSAGE: "messageId",
    pb.EVENT_FRIENDSHIP: "friendshipId",
    pb.EVENT_ROOM_INVITE: "roomInvitationId",
}


class Delivered:
    """What was sent to such a client lately. What it asks about it has, and with it all that came before; the rest
    of the last two seconds before a connection is lost is sent again to the next one."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._sent: deque[tuple[int, float, str]] = deque()

    def sent(self, number: int, body: bytes) -> None:
        """An event was written to the client's connection."""
        self._sent.append((number, time.monotonic(), _id_of(body)))
        self.settle()

    def settle(self) -> None:
        """What was sent long enough ago has arrived."""
        before, reached = time.monotonic() - SETTLED, 0
        while self._sent and self._sent[0][1] < before:
            reached = self._sent.popleft()[0]
        if reached:
            self._journal.take(reached)

    def asked(self, request: bytes) -> None:
        """The client reads a payload."""
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
        """The connection is gone."""
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
