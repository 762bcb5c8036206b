"""客户群: groups that staff make. The API reads them, hands out a QR code to join by, and writes to them through tasks
that a member of staff confirms (developer.work.weixin.qq.com, documents 92122, 92229, 92135, 92136)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any, Final

from config.wecom import GroupPoolSettings
from errors import WeChatError, WeChatRefused
from wechat.directory import CachedDirectory
from wechat.entities import Contact, Room
from wecom import codes
from wecom.api import ApiRefused, WecomApi
from wecom.storage import Chat, Storage

log = logging.getLogger(__name__)
READ_EVERY: Final = 600.0  # seconds between readings of all groups, for changes without a callback
REREAD_DELAYS: Final = (0.0, 2.0, 10.0, 60.0)  # seconds after a callback: the list of members may be behind it (96338)
BY_CODE: Final = 2  # the scene of a join way: a QR code


class MemberKind(IntEnum):
    """The kind of a group member."""

    STAFF = 1
    CUSTOMER = 2


class GroupChange(StrEnum):
    """A change of a group reported by a callback."""

    CREATE = "create"
    UPDATE = "update"
    DISMISS = "dismiss"


class CustomerGroups:
    """The groups of one account: those of its pool, and those that WeCom opened because one of them was full."""

    def __init__(
        self,
        api: WecomApi,
        storage: Storage,
        directory: CachedDirectory,
        settings: GroupPoolSettings,
        on_changes: Callable[[Sequence[str]], Awaitable[None]],
    ) -> None:
        self._api = api
        self._storage = storage
        self._directory = directory
        self._settings = settings
        self._on_changes = on_changes  # ids of groups whose members have changed
        self._report_lock = asyncio.Lock()
        self._reported: dict[str, set[str] | None] = {}  # members, at the last report that was stored
        self._following: dict[str, asyncio.Task[None]] = {}

    def __contains__(self, chat_id: str) -> bool:
        return chat_id in self._directory.rooms

    # ---- reading ----

    async def run(self) -> None:
        """Read all groups now and then, and those that lack a member soon again, until cancelled."""
        try:
            async with asyncio.TaskGroup() as reading:
                reading.create_task(self._read_regularly())
                reading.create_task(self._recheck_absences())
        finally:
            for task in self._following.values():
                task.cancel()
            await asyncio.gather(*self._following.values(), return_exceptions=True)

    async def _read_regularly(self) -> None:
        while True:
            await self._report(await self.read_all())
            await asyncio.sleep(READ_EVERY)

    async def _recheck_absences(self) -> None:
        """Read groups again in which a member is missing, although no callback since the start reported a leave."""
        absences = self._directory.absences
        while True:
            chat_id = await absences.due()
            started = datetime.now(UTC)
            await self._try_read(chat_id)
            absences.checked(chat_id, started)
            await self._report([chat_id])

    async def read_all(self) -> list[str]:
        """Read every group; return their ids. One that cannot be read is tried again the next time."""
        chats = {chat.id: chat for chat in await self._storage.chats()}
        for chat in list(chats.values()):
            for id in await self._groups_of_join_way(chat):
                chats.setdefault(id, Chat(id, chat.state))
        ids = list(dict.fromkeys([*self._settings.pool, *chats]))
        for id in ids:
            await self._try_read(id)
        return ids

    async def _try_read(self, chat_id: str) -> None:
        try:
            await self.read(chat_id)
        except WeChatError as error:
            log.info("group %s could not be read: %s", chat_id, error)

    async def _report(self, chat_ids: Sequence[str]) -> None:
        """Call `on_changes` for the groups whose members have changed since the last report.

        A report that was cancelled or that failed is repeated by the next one.
        """
        async with self._report_lock:
            members = {id: self._members(id) for id in chat_ids}
            changed = {id: now for id, now in members.items() if id not in self._reported or self._reported[id] != now}
            if not changed:
                return
            for id in changed:
                self._reported.pop(id, None)  # a report that is cancelled may be stored or not
            try:
                await self._on_changes(list(changed))
            except Exception:  # for example because the database is unavailable
                log.exception("could not report changes of groups")
            else:
                self._reported |= changed

    async def _groups_of_join_way(self, chat: Chat) -> list[str]:
        """Return the groups of a join way: WeCom opens another one when all are full."""
        if not chat.config_id:
            return []
        try:
            answer = await self._api.call("externalcontact/groupchat/get_join_way", {"config_id": chat.config_id})
        except WeChatError as error:
            log.info("could not read a join QR code: %s", error)
            return []
        return [str(id) for id in (answer.get("join_way") or {}).get("chat_id_list") or ()]

    async def read_new(self) -> list[Room]:
        """Read the groups of the pool that are not known yet."""
        new = []
        for id in self._settings.pool:
            if id not in self._directory.rooms:
                try:
                    new.append(await self.read(id))
                except WeChatRefused as error:
                    log.warning("group %s of the pool cannot be read: %s", id, error)
        return new

    async def read(self, chat_id: str) -> Room:
        """Read a group; raise WeChatRefused if there is none."""
        started = datetime.now(UTC)
        try:
            answer = await self._api.call("externalcontact/groupchat/get", {"chat_id": chat_id, "need_name": 1})
        except ApiRefused as error:
            if error.code in codes.NO_GROUP:
                self._directory.drop_room(chat_id)
            raise
        chat: dict[str, Any] = answer.get("group_chat") or {}
        members = [
            member for member in chat.get("member_list") or () if isinstance(member, dict) and member.get("userid")
        ]
        for member in members:
            self._add_member(member)
        room = Room(
            chat_id,
            topic=str(chat.get("name") or ""),
            owner_id=str(chat.get("owner") or ""),
            admin_ids=tuple(str(admin.get("userid")) for admin in chat.get("admin_list") or ()),
            member_ids={str(member["userid"]) for member in members} | {self._directory.owner_id},
            join_state=await self._state_of(chat_id, members),
        )
        self._directory.put_room(room, started)
        return room

    def _add_member(self, member: dict[str, Any]) -> None:
        """Add a member to the directory. Staff can be written to at any time and count as friends."""
        id = str(member["userid"])
        contact = self._directory.contacts.get(id)
        name = str(member.get("name") or member.get("group_nickname") or (contact.name if contact else ""))
        is_friend = member.get("type") == MemberKind.STAFF or (contact is not None and contact.friend)
        self._directory.put_contact(Contact(id, name, friend=is_friend, avatar=contact.avatar if contact else ""))

    async def _state_of(self, chat_id: str, members: Sequence[dict[str, Any]]) -> str:
        """Return the state of a group's join way. In a group that WeCom opened, only its members show it."""
        chats = {chat.id: chat.state for chat in await self._storage.chats()}
        if chats.get(chat_id) or chat_id in self._settings.pool:
            return chats.get(chat_id, "")
        shown_states = {str(member["state"]) for member in members if member.get("state")} & set(chats.values())
        if len(shown_states) != 1:
            return ""
        state = shown_states.pop()
        await self._storage.store_chat(Chat(chat_id, state))
        return state

    def changed(self, chat_id: str) -> None:
        """Read a group after a callback until it shows the change."""
        running = self._following.pop(chat_id, None)
        overlaps = running is not None and not running.done()
        if running is not None:
            running.cancel()
        self._following[chat_id] = asyncio.create_task(self._follow(chat_id, until_changed=not overlaps))

    async def _follow(self, chat_id: str, *, until_changed: bool) -> None:
        """Read a group and report changes; `until_changed`: stop at the first one.

        It may belong to an earlier callback if that was still being followed.
        """
        before = self._members(chat_id)
        for wait in REREAD_DELAYS:
            await asyncio.sleep(wait)
            await self._try_read(chat_id)
            await self._report([chat_id])
            if until_changed and self._members(chat_id) != before:
                return

    def _members(self, chat_id: str) -> set[str] | None:
        room = self._directory.rooms.get(chat_id)
        return None if room is None else set(room.member_ids)

    # ---- the code to join by ----

    async def open(self, chat_id: str, state: str, *, opens_next: bool) -> None:
        """Create a QR code to join the group; members who join by it carry `state`.

        `opens_next`: WeCom adds another group when it is full. A duplicate code after a lost response leads to the
        same group.
        """
        if any(chat.id == chat_id and chat.config_id for chat in await self._storage.chats()):
            return
        body: dict[str, Any] = {"scene": BY_CODE, "chat_id_list": [chat_id], "state": state}
        body["auto_create_room"] = int(opens_next)
        if opens_next and self._settings.room_base_name:
            body |= {"room_base_name": self._settings.room_base_name, "room_base_id": self._settings.room_base_id}
        answer = await self._api.call("externalcontact/groupchat/add_join_way", body)
        config_id = str(answer["config_id"])
        join_way = await self._api.call("externalcontact/groupchat/get_join_way", {"config_id": config_id})
        picture = await self._api.picture(str((join_way.get("join_way") or {}).get("qr_code") or ""))
        await self._storage.store_chat(Chat(chat_id, state, config_id, picture))
        self._set_state(chat_id, state)

    async def picture(self, chat_id: str) -> bytes:
        """Return the QR code to join as a picture, or b""."""
        return next((chat.picture for chat in await self._storage.chats() if chat.id == chat_id), b"")

    async def close(self, chat_id: str) -> None:
        """Delete the QR code; the group itself stays with the staff."""
        chat = next((chat for chat in await self._storage.chats() if chat.id == chat_id), None)
        if chat is None:
            return
        if chat.config_id:
            try:
                await self._api.call("externalcontact/groupchat/del_join_way", {"config_id": chat.config_id})
            except ApiRefused as error:  # it no longer exists
                log.info("could not delete the join QR code of group %s: %s", chat_id, error)
        await self._storage.delete_chat(chat_id)
        self._set_state(chat_id, "")

    def _set_state(self, chat_id: str, state: str) -> None:
        room = self._directory.rooms.get(chat_id)
        if room is not None:
            self._directory.put_room(replace(room, join_state=state), datetime.now(UTC))
