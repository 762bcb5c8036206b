"""Delivery tracking for clients without relay support, which do not acknowledge events."""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Final

from protocol import puppet_pb2 as pb
from relay.journal import Journal

WORK_SECONDS: Final = 2.0  # that a client may take to act on an event
ID_KEYS: Final[dict[int, str]] = {
    pb.EVENT_MESSAGE: "messageId",
    pb.EVENT_FRIENDSHIP: "friendshipId",
    pb.EVENT_ROOM_INVITE: "roomInvitationId",
}


class DeliveryTracker:
    """The events sent recently to a client that does not acknowledge them.

    An event counts as delivered if the client requested its payload or that of a later event, or if it has read it and
    had time to handle it. The others are sent again to the next client.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._sent: deque[tuple[int, float, str]] = deque()  # number, time, id of the payload
        self._numbers: dict[str, int] = {}  # of the last event of a payload

    @property
    def is_tracking(self) -> bool:
        """Whether events were sent of which it is not known that the client has them."""
        return bool(self._sent)

    def sent(self, number: int, body: bytes) -> None:
        """Record an event sent to the client."""
        id = _id_of(body)
        self._sent.append((number, time.monotonic(), id))
        if id:
            self._numbers[id] = number

    def last_handled(self) -> int:
        """Return the last number that the client has handled; 0 = none."""
        before, last = time.monotonic() - WORK_SECONDS, 0
        for number, at, _ in self._sent:
            if at >= before:
                break
            last = number
        return last

    def confirm(self, number: int) -> None:
        """Record that the client has handled everything up to this number."""
        while self._sent and self._sent[0][0] <= number:
            _, _, id = self._sent.popleft()
            if self._numbers.get(id, number + 1) <= number:
                del self._numbers[id]
        self._journal.take(number)

    def payload_requested(self, request: bytes) -> None:
        """Mark events as received when the client requests a payload."""
        if not self._sent:
            return
        try:
            id = pb.Id.FromString(request).id
        except ValueError:
            return
        if reached := self._numbers.get(id):
            self.confirm(reached)

    def undelivered(self) -> None:
        """Reset after the loss of the connection."""
        self._sent.clear()
        self._numbers.clear()


def _id_of(body: bytes) -> str:
    event = pb.EventResponse.FromString(body)
    key = ID_KEYS.get(event.type)
    if key is None:
        return ""
    try:
        return str(json.loads(event.payload)[key])
    except (ValueError, KeyError, TypeError):
        return ""
