"""Reservations of seats in rooms, so that concurrent joins do not exceed the capacity."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from config.settings import GroupSettings
from errors import GroupFull, InviteFailed
from models.groups import Qun
from services.groups.groups import Groups
from services.groups.lifecycle import GroupLifecycle
from wechat.entities import Room

MIN_PEOPLE: Final = 3  # people needed to create a room; a capacity of this size leaves no seat


class SeatReservations:
    """Reserves seats, and opens the next room if the group may overflow."""

    def __init__(self, groups: Groups, lifecycle: GroupLifecycle, settings: GroupSettings) -> None:
        self._groups = groups
        self._lifecycle = lifecycle
        self._settings = settings
        self._held: dict[tuple[int, str], str] = {}  # (group, person) -> room

    @property
    def may_overflow(self) -> bool:
        """Whether a full group opens its next room."""
        return self._settings.overflow

    async def reserve(self, qun: Qun, contact_id: str, actor: str, full: Collection[str]) -> Room:
        """Reserve a seat in a room that is not in `full`, until `release` is called.

        Raises GroupFull, InviteFailed, and the errors of creating a room.
        """
        self.release(qun, contact_id)
        while True:
            rooms = self._groups.wechat_rooms(qun)
            room = next((room for room in rooms if room.id not in full and self._has_seat(room)), None)
            if room is not None:
                self._held[qun.number, contact_id] = room.id
                return room
            if not rooms:
                raise InviteFailed(f"WeChat shows no room of group {qun.number}")
            if not self._settings.overflow or self._settings.capacity <= MIN_PEOPLE:
                raise GroupFull(str(qun.number))
            opened = await self._lifecycle.open_next_room(qun, actor)
            if opened.room_id not in {room.id for room in self._groups.wechat_rooms(qun)}:
                raise InviteFailed(f"WeChat does not show room {opened.room_id}")

    def release(self, qun: Qun, contact_id: str) -> None:
        """Release the reservation."""
        self._held.pop((qun.number, contact_id), None)

    def _has_seat(self, room: Room) -> bool:
        reserved = {person for (_, person), room_id in self._held.items() if room_id == room.id} - room.member_ids
        return len(room.member_ids) + len(reserved) < self._settings.capacity
