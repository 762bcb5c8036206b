"""The protocol between a relay and clients that support it: gRPC metadata keys, error messages and event positions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

EPOCH: Final = "relay-epoch"  # request: an integer; the client with the highest one is served
ACKNOWLEDGED: Final = "relay-acknowledged"  # request: JOURNAL:NUMBER; the client has stored all events up to it
RESUME: Final = "relay-resume"  # request of Event: JOURNAL:NUMBER to resume after, or "new" for the first unread event
JOURNAL: Final = "relay-journal"  # response of Event: the id of the relay's journal; only relays send it
TAKEN_OVER: Final = "a client with a higher epoch has taken over"  # with FAILED_PRECONDITION
NO_GATEWAY: Final = "the relay has no connection to the gateway"  # with UNAVAILABLE: nothing was sent

_POSITION: Final = re.compile(r"([0-9a-f]{1,64}):(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Position:
    """A position in a relay's journal."""

    journal: str
    number: int

    def __str__(self) -> str:
        return f"{self.journal}:{self.number}"

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """Parse the result of str(); return None if it is invalid."""
        match = _POSITION.fullmatch(text)
        return cls(match[1], int(match[2])) if match else None


def parse_epoch(text: str) -> int:
    """Parse the epoch from a call's metadata; raise ValueError."""
    if not re.fullmatch(r"\d{1,18}", text):
        raise ValueError("relay-epoch must be a whole number")
    return int(text)
