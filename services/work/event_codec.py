"""JSON encoding of events for the inbox."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

from wechat import events

_KINDS: dict[str, type[events.Event]] = {
    kind.__name__: kind
    for kind in (
        events.FriendRequested,
        events.FriendAdded,
        events.PrivateMessage,
        events.GroupMessage,
        events.StaffMessage,
        events.SessionChanged,
        events.MessageFailed,
        events.MemberJoined,
        events.MemberLeft,
        events.TopicChanged,
        events.RoomInvited,
    )
}


def utc(seconds: float) -> datetime:
    """Convert Unix seconds to an aware datetime."""
    return datetime.fromtimestamp(seconds, UTC)


def encode(event: events.Event) -> str:
    """Encode an event as JSON."""
    values: dict[str, Any] = {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}
    values["at"] = event.at.timestamp()
    return json.dumps({"is": type(event).__name__, **values}, ensure_ascii=False)


def decode(text: str) -> events.Event:
    """Decode an event encoded by `encode`."""
    values = json.loads(text)
    kind = _KINDS[values.pop("is")]
    values["at"] = utc(values["at"])
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = tuple(value)
    for name in ("kind", "quoted_kind"):
        if name in values:
            values[name] = events.MessageKind(values[name])
    if "step" in values:
        values["step"] = events.SessionStep(values["step"])
    return kind(**values)
