"""What an account can be asked to do. Calls that change something are read back: three of them are known to be
answered with success by gateways that did nothing."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from errors import WeChatError, WeChatNotDone, WeChatRefused, WeChatUnknown
from protocol.codec import clean, clean_json
from wechat import filebox
from wechat.connection import Timing
from wechat.directory import CachedDirectory
from wechat.directory_reader import DirectoryReader, patiently
from wechat.directory_sync import DirectorySync
from wechat.events import Contact, Link, Media, MiniProgram, Room, gateway_id
from wechat.gateway_events import GatewayEvents
from wechat.names import same_name
from wechat.puppet import MendedPuppet
from wechat.sent_messages import SentMessages

log = logging.getLogger(__name__)

HD: Final = 2  # ImageType: 1 thumbnail, 2 HD, 3 as sent


class AccountCalls:
    """The parts every call uses."""

    account: str
    directory: CachedDirectory
    _hearing: GatewayEvents
    _join_seen: asyncio.Event  # set, and replaced, when somebody joins a group
    _mended: MendedPuppet
    _own: SentMessages
    _reader: DirectoryReader
    _sync: DirectorySync
    _timing: Timing

    async def _change(self, call: str, change: Awaitable[object], is_so: Callable[[], Awaitable[bool]]) -> None:
        """Change something and read it back, also when the answer was lost: it may have happened all the same.

        Names are compared as WeChat shows them (wechat.names.same_name).
        """
        lost: WeChatUnknown | None = None
        try:
            await change
        except WeChatUnknown as error:
            lost = error
        try:
            await self._seen(call, is_so)
        except WeChatError:
            if lost is not None:
                raise lost from None
            raise

    async def _seen(self, call: str, is_so: Callable[[], Awaitable[bool]]) -> None:
        """Wait a moment for a change to show; WeChatNotDone when it does not."""
        deadline = asyncio.get_running_loop().time() + self._timing.read_back
        pause = 0.05
        while not await patiently(is_so):
            if asyncio.get_running_loop().time() + pause > deadline:
                raise WeChatNotDone(call, "the call succeeded, and reading back shows no change")
            await asyncio.sleep(pause)
            pause *= 2


class Sending(AccountCalls):
    """What is said, and what came in with a message."""

    async def send_text(
        self, to: str, text: str, mentions: Sequence[str] = (), *, choices: Sequence[str] = (), key: str = ""
    ) -> str:
        """Say a text; `mentions` are members of the group it is addressed to. Returns the message's id, or "".
        `choices` and `key` are for channels that can do more with them."""
        return self._own.note(await self._mended.message_send_text(to, text, mentions))

    async def send_media(self, to: str, media: Media, *, key: str = "") -> str:
        """Send a picture or a file."""
        box = await filebox.to_box(media, self._mended.online_wire("MessageSendFile"))
        return self._own.note(await self._mended.message_send_box(to, box, timeout=60.0))

    async def send_link(self, to: str, link: Link, *, key: str = "") -> str:
        """Send a link card."""
        return self._own.note(await self._mended.message_send_link(to, link))

    async def send_contact(self, to: str, contact_id: str, *, key: str = "") -> str:
        """Send a person's card."""
        return self._own.note(await self._mended.message_send_contact(to, contact_id))

    async def send_mini_program(self, to: str, program: MiniProgram, *, key: str = "") -> str:
        """Send a mini-program card."""
        return self._own.note(await self._mended.message_send_program(to, program))

    async def media(self, message_id: str) -> Media:
        """The file of a message."""
        box = await patiently(lambda: self._mended.message_box(gateway_id(message_id)))
        return await filebox.from_box(box, self._mended.online_wire("MessageFile"))

    async def image(self, message_id: str) -> Media:
        """The picture of a message: its file, since some gateways answer with a stand-in where they have no pictures;
        as a picture where there is no file."""
        try:
            return await self.media(message_id)
        except WeChatRefused:
            box = await patiently(lambda: self._mended.message_image_box(gateway_id(message_id), HD))
            return await filebox.from_box(box, self._mended.online_wire("MessageImage"))

    async def link(self, message_id: str) -> Link:
        """The link card a message is."""
        answer = await patiently(lambda: self._mended.message_link(gateway_id(message_id)))
        if answer.HasField("url_link"):
            payload = answer.url_link
            return Link(*map(clean, (payload.title, payload.url, payload.description, payload.thumbnail_url)))
        try:
            old = clean_json(json.loads(answer.url_link_json))
            return Link(old["title"], old["url"], old.get("description") or "", old.get("thumbnailUrl") or "")
        except (ValueError, KeyError, TypeError):
            raise WeChatRefused("MessageUrl", "the gateway's link is not usable") from None

    async def card(self, message_id: str) -> str:
        """The id of the person whose card a message is."""
        return await patiently(lambda: self._mended.message_contact(gateway_id(message_id)))

    async def program_title(self, message_id: str) -> str:
        """What the mini-program that a message is says of itself."""
        answer = await patiently(lambda: self._mended.message_program(gateway_id(message_id)))
        if answer.HasField("mini_program"):
            return clean(answer.mini_program.title)
        try:
            return str(clean_json(json.loads(answer.mini_program_json))["title"])
        except (ValueError, KeyError, TypeError):
            raise WeChatRefused("MessageMiniProgram", "the gateway's mini-program is not usable") from None

    async def place(self, message_id: str) -> str:
        """The place a message is: its name and address."""
        place = await patiently(lambda: self._mended.message_place(gateway_id(message_id)))
        return clean(" ".join(filter(None, dict.fromkeys((place.name, place.address)))))


class PeopleCalls(AccountCalls):
    """Friends and other people."""

    async def accept_friend(self, friendship_id: str) -> None:
        """Accept a friend request; an event tells when they are a friend."""
        await self._mended.friendship_accept(friendship_id)

    async def set_alias(self, contact_id: str, alias: str) -> None:
        """Give a person a remark; "" takes it away."""

        async def is_so() -> bool:
            return same_name((await self._reader.read_contact(contact_id, fresh=True)).alias, alias)

        await self._change("ContactAlias", self._mended.contact_alias(contact_id, alias), is_so)

    async def contact(self, contact_id: str, *, fresh: bool = False) -> Contact:
        """A person; `fresh`: read now, past every cache."""
        if fresh:
            return await patiently(lambda: self._reader.read_contact(contact_id, fresh=True))
        return await self._reader.contact(contact_id)

    async def look_for(self, name: str) -> None:
        """Read anew whoever may be a friend called so that nobody told of: whom the list of contacts newly has, and
        strangers of that name. What cannot be read in time stays as it is known."""
        known = self.directory
        try:
            async with asyncio.timeout(self._timing.look):
                listed = await self._mended.contact_list()
                old = frozenset(listed if known.unread is None else known.unread)
                new = [id for id in listed if id not in known.contacts]
                await self._reader.each(new, self._reader.read_contact)
                strangers = [contact.id for contact in known.find(name) if not contact.friend]
                await self._reader.each(strangers, lambda id: self._reader.read_contact(id, fresh=True))
        except (WeChatError, TimeoutError) as error:
            log.info("%s: the list of contacts could not be read: %s", self.account, type(error).__name__)
            return
        friends = (id for id in (*new, *strangers) if id in known.contacts and known.contacts[id].friend)
        self._hearing.befriended(id for id in friends if id not in old)

    async def self_qr_code(self) -> str:
        """The content of the account's QR code."""
        return await self._mended.contact_self_qr_code()


class GroupCalls(AccountCalls):
    """Groups and their members."""

    async def create_room(self, contact_ids: Sequence[str], topic: str) -> str:
        """Make a group of the account and these people; returns its id."""
        return await self._mended.room_create(contact_ids, topic, self._timing.create)

    async def room(self, room_id: str, *, fresh: bool = False) -> Room:
        """A group; `fresh`: read now, past every cache."""
        if fresh:
            return await patiently(lambda: self._reader.read_room(room_id, fresh=True))
        return await self._reader.room(room_id)

    async def read_new_rooms(self) -> list[Room]:
        """Ask for the list of groups and read the ones not known yet; returns these."""
        return [self.directory.rooms[id] for id in await self._sync.read_new_rooms() if id in self.directory.rooms]

    async def is_in_room(self, room_id: str) -> bool:
        """Whether the account is in a group: its list of groups, read now, has it, or it is not certain yet that the
        list is right. A group that it is not in is forgotten."""
        return await self._is_listed(room_id) or not self.directory.not_listed(room_id, datetime.now(UTC))

    async def _is_listed(self, room_id: str) -> bool:
        return room_id in await patiently(self._mended.room_list)

    async def names_in(self, room_id: str) -> dict[str, set[str]]:
        """Who is called what in a group, read now: the name each member has there, and their own."""
        called: dict[str, set[str]] = {}

        async def read(contact_id: str) -> None:
            payload = await self._mended.room_member_payload(room_id, contact_id)
            for name in filter(None, (payload.room_alias, payload.name)):
                called.setdefault(name, set()).add(contact_id)

        await self._reader.each((await self.room(room_id)).member_ids, read)
        return called

    async def add_member(self, room_id: str, contact_id: str) -> None:
        """Add a person, or invite them where WeChat wants that; `wait_member` tells whether they came."""
        await self._mended.room_add(room_id, contact_id)

    async def wait_member(self, room_id: str, contact_id: str, timeout: float) -> bool:
        """Whether a join event or the member list, read anew now and then, shows the person within `timeout`
        seconds."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + timeout, 0.5
        while not self._is_member(room_id, contact_id):
            left = deadline - loop.time()
            if left <= 0:
                return False
            try:
                await asyncio.wait_for(self._join_seen.wait(), min(pause, left))
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
        """Take a person out."""

        async def is_so() -> bool:
            return contact_id not in (await self._reader.read_room(room_id, fresh=True)).member_ids

        await self._change("RoomDel", self._mended.room_delete(room_id, contact_id), is_so)
        self.directory.left(room_id, (contact_id,), datetime.now(UTC))

    async def leave_room(self, room_id: str) -> None:
        """Leave a group; one the account is not in is fine."""

        async def is_so() -> bool:
            return not await self._is_listed(room_id)

        if await self._is_listed(room_id):
            await self._change("RoomQuit", self._mended.room_quit(room_id), is_so)
        self.directory.drop_room(room_id)

    async def set_topic(self, room_id: str, topic: str) -> None:
        """Rename a group."""

        async def is_so() -> bool:
            return same_name((await self._reader.read_room(room_id, fresh=True)).topic, topic)

        await self._change("RoomTopic", self._mended.room_topic(room_id, topic), is_so)

    async def announcement(self, room_id: str) -> str:
        """The group's announcement."""
        return await self._mended.room_announce(room_id)

    async def set_announcement(self, room_id: str, text: str) -> bool:
        """Change the group's announcement. False: it was accepted, and there is none to be read to compare it with."""
        shown, lost = "", None

        async def is_so() -> bool:
            nonlocal shown
            shown = await self._mended.room_announce(room_id)
            return same_name(shown, text)

        try:
            await self._mended.room_announce(room_id, text)
        except WeChatUnknown as error:
            lost = error
        try:
            await self._seen("RoomAnnounce", is_so)
        except (WeChatNotDone, WeChatRefused, WeChatUnknown) as error:
            if lost is not None:
                raise lost from None
            if isinstance(error, WeChatNotDone) and shown.strip():
                raise
            return False
        return True

    async def accept_invitation(self, invitation_id: str) -> None:
        """Follow an invitation into a group; an event tells when the account is in."""
        await self._mended.room_invitation_accept(invitation_id)
