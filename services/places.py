"""The places left in a room: who is on the way in has one, so that no room is overfilled by many who come at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from wechat.events import Room

FOUNDERS: Final = 3  # the assistant, the owner, a companion: no room has fewer people


class Places:
    """Gives places away, in memory: what a crash cuts off takes none any more."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._coming: defaultdict[str, set[str]] = defaultdict(set)

    @property
    def are_none_in_new_rooms(self) -> bool:
        """Whether a room is full as soon as it is made."""
        return self._capacity <= FOUNDERS

    def take(self, room: Room, contact_id: str) -> bool:
        """Keep a place for the person; False when the room has none left."""
        coming = self._coming[room.id]
        if len(room.member_ids | coming) >= self._capacity:
            return False
        coming.add(contact_id)
        return True

    def give_back(self, room_ids: Iterable[str], contact_id: str) -> None:
        """The person came in, or will not come."""
        for room_id in room_ids:
            self._coming[room_id].discard(contact_id)
