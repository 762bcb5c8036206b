"""Calls about the 客户群 of an account."""

from __future__ import annotations

from errors import WeChatUnsupported
from wechat.entities import Room
from wechat.interface import Directory
from wecom.api import ApiRefused
from wecom.groups import CustomerGroups


class CustomerGroupCalls:
    """The part of an account that reads and opens groups."""

    directory: Directory
    _groups: CustomerGroups

    async def room(self, room_id: str, *, fresh: bool = False) -> Room:
        """Return a group; `fresh`: read it from the API."""
        room = self.directory.rooms.get(room_id)
        return room if room is not None and not fresh else await self._groups.read(room_id)

    async def read_new_rooms(self) -> list[Room]:
        """Read new groups of the pool."""
        return await self._groups.read_new()

    async def names_in(self, room_id: str) -> dict[str, set[str]]:
        """Return the names of a group's members."""
        contacts = self.directory.contacts
        members = (await self._groups.read(room_id)).member_ids
        return {id: {contacts[id].name} for id in members if id in contacts and contacts[id].name}

    async def is_in_room(self, room_id: str) -> bool:
        """Whether the API shows the group."""
        try:
            await self._groups.read(room_id)
        except ApiRefused:
            return room_id in self._groups
        return True

    async def wait_member(self, room_id: str, contact_id: str, timeout: float) -> bool:
        """Whether the person is a member now."""
        return contact_id in (await self._groups.read(room_id)).member_ids

    async def announcement(self, room_id: str) -> str:
        """Raise WeChatUnsupported: announcements are made by staff."""
        raise WeChatUnsupported("announcement")

    async def create_join_code(self, room_id: str, state: str, *, opens_next: bool) -> None:
        """Create a QR code to join the group by."""
        await self._groups.open(room_id, state, opens_next=opens_next)

    async def join_code_picture(self, room_id: str) -> bytes:
        """Return the QR code to join the group by."""
        return await self._groups.picture(room_id)

    async def leave_room(self, room_id: str) -> None:
        """Delete the QR code; the group itself stays with the staff."""
        await self._groups.close(room_id)
