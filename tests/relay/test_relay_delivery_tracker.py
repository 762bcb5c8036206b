"""Which events a client that does not acknowledge them has received."""

from __future__ import annotations

import pytest

from protocol import puppet_pb2 as pb
from relay.delivery_tracker import DeliveryTracker
from relay.journal import Journal


def _message(id: str) -> bytes:
    return pb.EventResponse(type=pb.EVENT_MESSAGE, payload=f'{{"messageId":"{id}"}}').SerializeToString()


@pytest.mark.parametrize("request_bytes", [b"\xff\xff", b"\n\xff", b"\n\x05m", b""])
async def test_request_that_cannot_be_decoded_confirms_nothing(journal: Journal, request_bytes: bytes) -> None:
    journal.append([_message("m1")], lambda _number, _error: None)
    tracker = DeliveryTracker(journal)
    tracker.sent(1, _message("m1"))
    tracker.payload_requested(request_bytes)
    assert (journal.acknowledged, tracker.is_tracking) == (0, True)
    tracker.payload_requested(pb.Id(id="m1").SerializeToString())
    assert (journal.acknowledged, tracker.is_tracking) == (1, False)
