"""An in-memory WeChat account for tests of the layers above (HTTP formats, networks, keys).

Behaviour of WeChat itself is tested with the sandbox instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from wechat.directory import CachedDirectory
from wechat.entities import Contact, Link, Media, Room
from wechat.interface import PUPPET, ScanState, State, WeChat
from wechat.problems import Reason

SELF = "wxid_bot"


class InMemoryWeChat:
    """Implements what REST needs of wechat.interface.WeChat. Every call succeeds unless `fails` has an error for it."""

    def __init__(self, account: str = "weimi1001", state: State = State.ONLINE) -> None:
        self.account = account
        self.state = state
        self.reason: Reason | None = None
        self.self_id = SELF
        self.qr_code = ""
        self.gateway_time: float | None = None
        self.scan_state = ScanState.NONE
        self.directory: Any = CachedDirectory()
        self.directory.owner_id = SELF
        self.fails: dict[str, BaseException] = {}
        self.holds: dict[str, asyncio.Event] = {}
        self.only_invites = False
        self.calls: list[str] = []
        self._reached: dict[str, asyncio.Event] = {}
        self.sent: list[tuple[str, str, tuple[str, ...]]] = []
        self.knows(SELF, "小微", friend=False)

    def knows(self, id: str, name: str = "", *, friend: bool = True, alias: str = "", weixin: str = "") -> Contact:
        """Add a contact."""
        contact = Contact(id, name, alias, weixin, friend)
        self.directory.put_contact(contact)
        return contact

    capabilities = PUPPET

    def whole(self) -> WeChat:
        """As services take it: what is missing here no test calls."""
        return cast("WeChat", self)

    def begin(self, epoch: int, position: str) -> None:
        """Ignored: no relay."""

    def acknowledge(self, position: str) -> None:
        """Ignored: no relay."""

    async def reached(self, name: str) -> None:
        """Wait until a call was made."""
        await self._reached.setdefault(name, asyncio.Event()).wait()

    async def _call(self, name: str) -> None:
        self.calls.append(name)
        self._reached.setdefault(name, asyncio.Event()).set()
        if name in self.holds:
            await self.holds[name].wait()
        if name in self.fails:
            raise self.fails[name]

    async def send_text(self, to: str, text: str, mentions: Sequence[str] = (), **_more: object) -> str:
        await self._call("send_text")
        self.sent.append((to, text, tuple(mentions)))
        return f"msg-{len(self.sent)}"

    async def contact(self, contact_id: str, *, fresh: bool = False) -> Contact:
        await self._call("contact")
        contact: Contact = self.directory.contacts[contact_id]
        return contact

    async def accept_friend(self, friendship_id: str) -> None:
        await self._call("accept_friend")

    async def search_contacts(self, name: str) -> None:
        await self._call("look_for")

    async def self_qr_code(self) -> str:
        await self._call("self_qr_code")
        return "https://u.wechat.com/MDtestCode"

    async def log_out(self) -> None:
        await self._call("log_out")

    async def set_alias(self, contact_id: str, alias: str) -> None:
        await self._call("set_alias")
        self.directory.put_contact(replace(self.directory.contacts[contact_id], alias=alias))

    async def create_room(self, contact_ids: Sequence[str], topic: str) -> str:
        await self._call("create_room")
        room_id = f"room-{len(self.directory.rooms) + 1}@chatroom"
        self.directory.put_room(Room(room_id, topic, SELF, (), {SELF, *contact_ids}))
        return room_id

    async def room(self, room_id: str, *, fresh: bool = False) -> Room:
        await self._call("room")
        room: Room = self.directory.rooms[room_id]
        return room

    async def read_new_rooms(self) -> list[Room]:
        await self._call("read_new_rooms")
        return []

    async def add_member(self, room_id: str, contact_id: str) -> None:
        await self._call("add_member")
        if not self.only_invites:
            self.directory.rooms[room_id].member_ids.add(contact_id)

    async def wait_member(self, room_id: str, contact_id: str, timeout: float) -> bool:
        await self._call("wait_member")
        return contact_id in self.directory.rooms[room_id].member_ids

    async def set_topic(self, room_id: str, topic: str) -> None:
        await self._call("set_topic")
        self.directory.set_topic_of(room_id, topic)

    async def set_announcement(self, room_id: str, text: str) -> None:
        await self._call("set_announcement")

    async def leave_room(self, room_id: str) -> None:
        await self._call("leave_room")
        self.directory.drop_room(room_id)

    async def send_media(self, to: str, media: Media, **_more: object) -> str:
        await self._call("send_media")
        self.sent.append((to, media.name, ()))
        return f"msg-{len(self.sent)}"

    async def send_link(self, to: str, link: Link, **_more: object) -> str:
        await self._call("send_link")
        self.sent.append((to, link.url, ()))
        return f"msg-{len(self.sent)}"

    async def remove_member(self, room_id: str, contact_id: str) -> None:
        await self._call("remove_member")
        self.directory.rooms[room_id].member_ids.discard(contact_id)
