"""The people who view or answer a ticket in the console. Kept in memory only."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.changes import ChangeFeed, ChangeKind

PRESENT_SECONDS: Final = 20.0  # for which a person counts as present after the last request of their page


class Activity(StrEnum):
    """An activity at a ticket."""

    VIEWING = "viewing"
    WRITING = "writing"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person at a ticket. `at`: monotonic seconds."""

    name: str
    doing: Activity
    at: float


class TicketViewers:
    """The people who have a ticket open in the console, by ticket and session."""

    def __init__(self, changes: ChangeFeed) -> None:
        self._changes = changes
        self._people: defaultdict[int, dict[str, Viewer]] = defaultdict(dict)

    def record_activity(self, ticket: int, session_id: str, name: str, doing: Activity) -> None:
        """Record a person's activity, and publish it if it changed."""
        people = self._people[ticket]
        before = people.pop(session_id, None)
        if doing is not Activity.LEFT:
            people[session_id] = Viewer(name, doing, time.monotonic())
        if (before.doing if before else Activity.LEFT) is not doing:
            self._changes.publish(ChangeKind.PRESENCE, id=ticket)

    def other_viewers(self, ticket: int, session_id: str) -> list[Viewer]:
        """Return the other people at the ticket."""
        since = time.monotonic() - PRESENT_SECONDS
        people = {id: viewer for id, viewer in self._people.pop(ticket, {}).items() if viewer.at >= since}
        if people:
            self._people[ticket] = people
        return [viewer for id, viewer in people.items() if id != session_id]
