"""The queue behind an event stream."""

from __future__ import annotations

import json

from protocol import puppet_pb2 as pb
from sandbox.gateway.event_stream import EventBacklog


async def test_backlog_is_bounded_and_ordered() -> None:
    outbox = EventBacklog(bound=2)
    for n in range(5):
        outbox.emit("message", {"messageId": str(n)})
    outbox.put(None)
    assert outbox.dropped == 3
    told = [await outbox.get(1) for _ in range(3)]
    assert [json.loads(event.payload)["messageId"] for event in told if event] == ["0", "1"]
    assert told[2] is None


async def test_delayed_events_follow_prompt_ones_and_end_at_close() -> None:
    outbox = EventBacklog()
    outbox.emit("message", {"messageId": "late"}, 0.02)
    outbox.emit("message", {"messageId": "prompt"})
    first, second = await outbox.get(5), await outbox.get(5)
    assert first and second
    assert ("prompt" in first.payload, "late" in second.payload) == (True, True)
    outbox.emit("message", {"messageId": "never"}, 0.02)
    outbox.close()
    nothing = await outbox.get(0.05)
    assert nothing and nothing.type == pb.EVENT_HEARTBEAT
