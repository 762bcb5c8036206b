"""Calls about groups."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from errors import WeChatError, WeChatNotDone, WeChatRefused, WeChatUnknown
from wechat.account_calls import AccountCalls
from wechat.directory_reader import with_retries
from wechat.entities import Room
from wechat.names import same_name

log = logging.getLogger(__name__)


class GroupCalls(AccountCalls):
    """Operations on groups and their members."""

    async def create_room(self, contact_ids: Sequence[str], topic: str) -> str:
        """Create a group of the account and these people; return its id."""
        return await self._puppet_client.room_create(contact_ids, topic, self._timing.create)

    async def room(self, room_id: str, *, fresh: bool = False) -> Room:
        """Return a group; `fresh`: read it without any cache."""
        if fresh:
            return await with_retries(lambda: self._reader.read_room(room_id, fresh=True))
        return await self._reader.room(room_id)

    async def read_new_rooms(self) -> list[Room]:
        """Read the list of groups and the unknown ones on it; return those."""
        return [self.directory.rooms[id] for id in await self._sync.read_new_rooms() if id in self.directory.rooms]

    async def is_in_room(self, room_id: str) -> bool:
        """Whether the account is in a group: its list of groups, read now, has it, or it is not certain yet that the
        list is right. A group that it is not in is forgotten."""
        return await self._is_listed(room_id) or not self.directory.record_unlisted(room_id, datetime.now(UTC))

    async def _is_listed(self, room_id: str) -> bool:
        return room_id in await with_retries(self._puppet_client.room_list)

    async def names_in(self, room_id: str) -> dict[str, set[str]]:
        """Read the names shown in a group: members by their group alias and by their nickname."""
        called: dict[str, set[str]] = {}

        async def read(contact_id: str) -> None:
            payload = await self._puppet_client.room_member_payload(room_id, contact_id)
            for name in filter(None, (payload.room_alias, payload.name)):
                called.setdefault(name, set()).add(contact_id)

        await self._reader.read_each((await self.room(room_id)).member_ids, read)
        return called

    async def add_member(self, room_id: str, contact_id: str) -> None:
        """Add a person, or invite them where WeChat requires that. `wait_member` tells whether they joined."""
        await self._puppet_client.room_add(room_id, contact_id)

    async def wait_member(self, room_id: str, contact_id: str, timeout: float) -> bool:
        """Wait for a person to join, by a join event or by reading the member list repeatedly; return whether
        they did.
        """
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + timeout, 0.5
        while not self._is_member(room_id, contact_id):
            left = deadline - loop.time()
            if left <= 0:
                return False
            try:
                async with asyncio.timeout(min(pause, left)):
                    await self._join_seen.wait()
            except TimeoutError:
                pause = min(pause * 2, 5.0)
                try:
                    await self._reader.read_room(room_id, fresh=True)
                except WeChatError as error:
                    log.debug("%s: %s", self.account, error)
        return True

    def _is_member(self, room_id: str, contact_id: str) -> bool:
        room = self.directory.rooms.get(room_id)
        return room is not None and contact_id in room.member_ids

    async def remove_member(self, room_id: str, contact_id: str) -> None:
        """Remove a member."""

        async def is_done() -> bool:
            return contact_id not in (await self._reader.read_room(room_id, fresh=True)).member_ids

        await self._change("RoomDel", self._puppet_client.room_delete(room_id, contact_id), is_done)
        self.directory.remove_members(room_id, (contact_id,), datetime.now(UTC))

    async def leave_room(self, room_id: str) -> None:
        """Leave a group. Idempotent, except that the gateway may reject the call until it is certain that the account
        is in no such group: right after its start, its list may lack some.
        """

        async def is_done() -> bool:
            return not await self._is_listed(room_id)

        if await self._is_listed(room_id):
            await self._change("RoomQuit", self._puppet_client.room_quit(room_id), is_done)
        elif not self.directory.record_unlisted(room_id, datetime.now(UTC)):
            await self._puppet_client.room_quit(room_id)
        self.directory.drop_room(room_id)

    async def set_topic(self, room_id: str, topic: str) -> None:
        """Rename a group."""

        async def is_done() -> bool:
            return same_name((await self._reader.read_room(room_id, fresh=True)).topic, topic)

        await self._change("RoomTopic", self._puppet_client.room_topic(room_id, topic), is_done)

    async def announcement(self, room_id: str) -> str:
        """Return the group's announcement."""
        return await self._puppet_client.room_announce(room_id)

    async def set_announcement(self, room_id: str, text: str) -> bool:
        """Set the group's announcement; return False if it was accepted but none can be read back."""
        announcement, unknown_error = "", None

        async def is_done() -> bool:
            nonlocal announcement
            announcement = await self._puppet_client.room_announce(room_id)
            return same_name(announcement, text)

        try:
            await self._puppet_client.room_announce(room_id, text)
        except WeChatUnknown as error:
            unknown_error = error
        try:
            await self._wait_until_shown("RoomAnnounce", is_done)
        except (WeChatNotDone, WeChatRefused, WeChatUnknown) as error:
            if unknown_error is not None:
                raise unknown_error from None
            if isinstance(error, WeChatNotDone) and announcement.strip():
                raise
            return False
        return True

    async def accept_invitation(self, invitation_id: str) -> None:
        """Accept an invitation to a group; the event MemberJoined follows."""
        await self._puppet_client.room_invitation_accept(invitation_id)
