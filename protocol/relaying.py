"""What a relay and a client that knows relays tell each other, in gRPC metadata and in the events' own number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

EPOCH: Final = "relay-epoch"  # request: a whole number; the client with the highest one is served
ACKNOWLEDGED: Final = "relay-acknowledged"  # request: JOURNAL:NUMBER, all events up to it are safe with the client
RESUME: Final = "relay-resume"  # request of Event: JOURNAL:NUMBER, go on after it; "new" = from the first unread one
JOURNAL: Final = "relay-journal"  # answer of Event: the id of the relay's journal; its presence tells a relay
TAKEN_OVER: Final = "a client with a higher epoch has taken over"  # with FAILED_PRECONDITION
NO_GATEWAY: Final = "the relay has no connection to the gateway"  # with UNAVAILABLE: nothing was sent

_POSITION: Final = re.compile(r"([0-9a-f]{1,64}):(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a relay's journal."""

    journal: str
    number: int

    def __str__(self) -> str:
        return f"{self.journal}:{self.number}"

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """What str() made; None of anything else."""
        found = _POSITION.fullmatch(text)
        return cls(found[1], int(found[2])) if found else None


def parse_epoch(text: str) -> int:
    """The epoch in a call's metadata; ValueError."""
    if not re.fullmatch(r"\d{1,18}", text):
        raise ValueError("relay-epoch must be a whole number")
    return int(text)
