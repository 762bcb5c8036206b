"""Updates the directory after a login: new entries at once, the others in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from errors import WeChatError, WeChatOffline, WeChatRefused
from wechat.directory import CachedDirectory
from wechat.directory_reader import DirectoryReader, with_retries
from wechat.puppet import PatchedPuppet

log = logging.getLogger(__name__)

MAX_UNCACHED_READS: Final = 50


class DirectorySync:
    """Reads the contacts and groups of an account."""

    def __init__(
        self, puppet: PatchedPuppet, directory: CachedDirectory, reader: DirectoryReader, pause: float
    ) -> None:
        self._puppet = puppet
        self._directory = directory
        self._reader = reader
        self._pause = pause
        self.unread = 0  # number of listed entries that could not be read
        # Differences from what was known, until they are reported: new friends, groups joined or left, groups with
        # other members. Kept if the connection is lost.
        self.unreported: set[str] = set()

    async def read_new(self) -> None:
        """Read the lists of contacts and groups, and all new entries."""
        directory = self._directory
        listed_ids = await with_retries(self._puppet.contact_list)
        is_first, strangers = directory.unread is None, self._strangers(listed_ids)
        if directory.unread is None:
            directory.unread = set(strangers)
        old = frozenset(directory.unread)
        # a gateway that never reports friends would cause all contacts to be read uncached
        fresh = len(strangers) <= MAX_UNCACHED_READS

        async def add_contact(id: str) -> None:
            contact = await self._reader.read_contact(id, fresh=fresh and id in directory.contacts)
            if contact.friend and id not in old:
                self.unreported.add(id)

        await self._reader.read_each(strangers, add_contact)
        self.unreported.update(id for id in directory.trust_list(listed_ids) if id not in old)
        if directory.owner_id not in directory.contacts:
            await self._reader.read_each([directory.owner_id], self._reader.read_contact)
        new_rooms = await self.read_new_rooms()
        self.unread += sum(id not in directory.contacts for id in listed_ids)
        if not is_first:
            self.unreported.update(new_rooms)

    def _strangers(self, listed_ids: Iterable[str]) -> list[str]:
        directory = self._directory
        return [
            id
            for id in listed_ids
            if (c := directory.contacts.get(id)) is None or not (c.friend or id == directory.owner_id)
        ]

    async def read_new_rooms(self) -> list[str]:
        """Read the list of groups and the unknown groups on it; return those."""
        listed_ids = await with_retries(self._puppet.room_list)
        missing = [id for id in listed_ids if id not in self._directory.rooms]
        await self._reader.read_each(missing, self._reader.read_room)
        read = [id for id in missing if id in self._directory.rooms]
        self.unread = len(missing) - len(read)
        return read

    async def read_again(self, rooms: Iterable[str], contacts: Iterable[str]) -> None:
        """Read known groups and contacts again, slowly.

        Contacts are read from the gateway's cache, which its events keep up to date: reading hundreds of them from
        WeChat at every reconnect could look automated.
        """
        for id in rooms:
            if await self._room_changed(id):
                self.unreported.add(id)
            await asyncio.sleep(self._pause)
        for id in contacts:
            before = self._directory.contacts.get(id)
            try:
                after = await self._reader.read_contact(id)
            except WeChatOffline:
                raise
            except WeChatError as error:
                log.debug("%s: %s", self._puppet.name, error)
                continue
            if after.friend and not (before and before.friend):
                self.unreported.add(id)
            await asyncio.sleep(self._pause / 10)

    async def recheck_rooms(self) -> None:
        """Read rooms again that have unconfirmed absences, when due."""
        absences = self._directory.absences
        while True:
            room_id = await absences.due()
            started = datetime.now(UTC)
            changed = await self._room_changed(room_id)
            absences.checked(room_id, started)
            if changed:
                self.unreported.add(room_id)
                return

    async def _room_changed(self, id: str) -> bool:
        """Read a group again; whether its members differ, or it is certain that the account is not in it."""
        directory = self._directory
        before = directory.rooms.get(id)
        members = set(before.member_ids) if before else set()
        try:
            if not await self._read_room(id):
                directory.record_unlisted(id, datetime.now(UTC))
        except WeChatOffline:
            raise
        except WeChatError as error:
            log.warning("%s: could not read a group again: %s", self._puppet.name, error)
            return False
        after = directory.rooms.get(id)
        return directory.absences.is_confirmed(id, directory.owner_id) if after is None else after.member_ids != members

    async def _read_room(self, id: str) -> bool:
        """Read a group uncached; return False if it is rejected and not in the list of groups."""
        try:
            await with_retries(lambda: self._reader.read_room(id, fresh=True))
        except WeChatRefused:
            if id in await with_retries(self._puppet.room_list):
                raise
            return False
        return True
