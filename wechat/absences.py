"""People missing from member lists.

A single reading is not trusted, because a gateway returns partial or empty lists right after its start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

MEMBER_READINGS: Final = 2  # without a person before they count as having left
OWN_READINGS: Final = 3  # without the account itself
MAX_UNNAMED: Final = 3  # missing people for whom an event about unknown people is taken as a confirmation


@dataclass(slots=True)
class Absence:
    """A missing person: the number of readings without them, and the time of the last one."""

    readings: int
    last: datetime
    is_confirmed: bool = False


class Absences:
    """Missing people by room. Readings count if there are `confirm_interval` seconds between them."""

    def __init__(self, confirm_interval: float) -> None:
        self.confirm_interval = timedelta(seconds=confirm_interval)
        self.recheck_needed = asyncio.Event()  # set while there may be something to read again
        self._rooms: dict[str, dict[str, Absence]] = {}
        self._unnamed: set[str] = set()  # rooms that somebody unknown has left

    def record_missing(
        self, room_id: str, ids: Iterable[str], at: datetime, own_id: str, *, is_complete: bool = False
    ) -> set[str]:
        """Record that a reading does not have these people; return those whose absence is not confirmed yet.

        `is_complete`: no other members are missing.
        """
        people, ids = self._rooms.setdefault(room_id, {}), set(ids)
        for id in [id for id, entry in people.items() if is_complete and not entry.is_confirmed and id not in ids]:
            del people[id]
        is_reported = room_id in self._unnamed and len(ids) <= MAX_UNNAMED
        self._unnamed.discard(room_id)
        unconfirmed = set()
        for id in ids:
            entry = people.setdefault(id, Absence(0, at))
            if entry.readings == 0 or at - entry.last >= self.confirm_interval * 0.9:
                entry.readings, entry.last = entry.readings + 1, at
            needed = OWN_READINGS if id == own_id else MEMBER_READINGS
            entry.is_confirmed = entry.is_confirmed or is_reported or entry.readings >= needed
            if not entry.is_confirmed:
                unconfirmed.add(id)
        if unconfirmed:
            self.recheck_needed.set()
        return unconfirmed

    def record_present(self, room_id: str, ids: Iterable[str]) -> None:
        """Record that these people are in the room."""
        people = self._rooms.get(room_id)
        if people:
            for id in ids:
                people.pop(id, None)

    def record_reported(self, room_id: str, ids: Iterable[str], *, certain: bool = True) -> None:
        """Record that an event reports these people as gone.

        If not `certain`, because it came late, the next reading decides.
        """
        people = self._rooms.setdefault(room_id, {})
        for id in ids:
            people[id] = Absence(OWN_READINGS - 1, datetime.now(UTC) - self.confirm_interval, is_confirmed=certain)

    def record_unnamed(self, room_id: str) -> None:
        """Record an event about a leave of unknown people; the next reading decides."""
        self._unnamed.add(room_id)

    def is_confirmed(self, room_id: str, id: str) -> bool:
        """Whether the person counts as having left."""
        entry = self._rooms.get(room_id, {}).get(id)
        return entry is not None and entry.is_confirmed

    def is_missing(self, room_id: str, id: str) -> bool:
        """Whether the last reading lacked the person, confirmed or not."""
        return id in self._rooms.get(room_id, {})

    async def due(self) -> str:
        """Wait until a room must be read again; return its id."""
        while True:
            waiting = self.next()
            if waiting is None:
                self.recheck_needed.clear()
                await self.recheck_needed.wait()
                continue
            room_id, at = waiting
            left = (at - datetime.now(UTC)).total_seconds()
            if left <= 0:
                return room_id
            await asyncio.sleep(left)

    def next(self) -> tuple[str, datetime] | None:
        """Return the room to be read again next, and when; None if there is none."""
        waiting = [
            (min(entry.last for entry in unconfirmed) + self.confirm_interval, room_id)
            for room_id, people in self._rooms.items()
            if (unconfirmed := [entry for entry in people.values() if not entry.is_confirmed])
        ]
        return (min(waiting)[1], min(waiting)[0]) if waiting else None

    def checked(self, room_id: str, at: datetime) -> None:
        """Record that the room was read again, or could not be; those still missing are looked up later."""
        for entry in self._rooms.get(room_id, {}).values():
            if not entry.is_confirmed and entry.last < at:
                entry.last = at

    def forget(self, room_id: str) -> None:
        """Discard the data of a room."""
        self._rooms.pop(room_id, None)
        self._unnamed.discard(room_id)

    def clear(self) -> None:
        """Discard everything: another person logged in."""
        self._rooms.clear()
        self._unnamed.clear()
