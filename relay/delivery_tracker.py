"""Delivery tracking for clients without relay support, which do not acknowledge events."""

from __future__ import annotations

import re
import time
from collections import deque
from typing import Final

from google.protobuf.message import DecodeError

from protocol import puppet_pb2 as pb
from relay.journal import Journal

WORK_SECONDS: Final = 2.0  # seconds a client may take to act on an event
# The id of a payload in the JSON of its event. A quote within a JSON string has a backslash before it, so that no text
# of an event looks like this. Searching takes a fifth of the time of parsing.
PAYLOAD_ID: Final = re.compile(rb'"(?:messageId|friendshipId|roomInvitationId)"\s*:\s*"([^"\\]+)"')


class DeliveryTracker:
    """The events sent recently to a client that does not acknowledge them.

    An event counts as delivered if the client requested its payload or that of a later event, or if it has read it and
    had time to handle it. The others are sent again to the next client.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._sent: deque[tuple[int, float, bytes]] = deque()  # number, time, id of the payload
        self._numbers: dict[bytes, int] = {}  # of the last event of a payload

    @property
    def is_tracking(self) -> bool:
        """Whether events were sent of which it is not known that the client has them."""
        return bool(self._sent)

    def sent(self, number: int, body: bytes) -> None:
        """Record an event sent to the client."""
        match = PAYLOAD_ID.search(body)
        id = match[1] if match else b""
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
        self._journal.acknowledge(number)

    def payload_requested(self, request: bytes) -> None:
        """Mark events as received when the client requests a payload."""
        if not self._sent:
            return
        if number := self._numbers.get(_requested(request)):
            self.confirm(number)

    def reset(self) -> None:
        """Forget what was sent, after the loss of the connection."""
        self._sent.clear()
        self._numbers.clear()


def _requested(request: bytes) -> bytes:
    """Return the id in the request of a payload (pb.Id, or a message with the same field); b"" if there is none."""
    if request[:1] == b"\n" and len(request) < 0x80 and request[1:2] == bytes((len(request) - 2,)):
        return request[2:]  # the only field, with a length of one byte
    try:
        return pb.Id.FromString(request).id.encode()
    except DecodeError:
        return b""
