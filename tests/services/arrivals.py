"""Events that have arrived, for tests of the parts of the inbox."""

from __future__ import annotations

from datetime import UTC, datetime

from services.work.arrival_sequencer import Arrival
from wechat.events import PrivateMessage, RawEvent

AT = datetime(2026, 1, 1, 8, tzinfo=UTC)


def arrival(name: str, *, retried: bool = False) -> Arrival:
    """A stored event; the row is the number in its name."""
    return Arrival(RawEvent("a", name, "message", {}, AT), int(name[1:] or 0), retried=retried)


def event(name: str, conversation: str = "x") -> PrivateMessage:
    """Its resolved event."""
    return PrivateMessage("a", name, AT, conversation, "", "")
