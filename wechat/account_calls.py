"""Operations of an account. Changes are read back, because gateways report success for some changes they did not
make.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from errors import WeChatError, WeChatNotDone, WeChatRefused, WeChatUnknown
from protocol.codec import clean, clean_json
from protocol.downloads import read_until_written
from wechat import filebox
from wechat.connection import Timing
from wechat.directory import CachedDirectory
from wechat.directory_reader import DirectoryReader, with_retries
from wechat.directory_sync import DirectorySync
from wechat.directory_updates import DirectoryUpdates
from wechat.entities import Contact, Link, Media, MiniProgram
from wechat.events import gateway_id
from wechat.names import same_name
from wechat.puppet import PatchedPuppet
from wechat.received_file import MAX_IN_MEMORY
from wechat.sent_messages import SentMessages

log = logging.getLogger(__name__)

HD: Final = 2  # ImageType: 1 thumbnail, 2 HD, 3 original


class AccountCalls:
    """Attributes used by all operations."""

    account: str
    directory: CachedDirectory
    directory_updates: DirectoryUpdates
    _join_seen: asyncio.Event  # set and replaced when somebody joins a group
    _puppet_client: PatchedPuppet
    _sent_messages: SentMessages
    _private_hosts: frozenset[str]
    _reader: DirectoryReader
    _sync: DirectorySync
    _timing: Timing

    async def _change(self, call: str, change: Awaitable[object], is_done: Callable[[], Awaitable[bool]]) -> None:
        """Make a change and read it back, even if its response was lost, since it may have happened.

        Names are compared with wechat.names.same_name.
        """
        unknown_error: WeChatUnknown | None = None
        try:
            await change
        except WeChatUnknown as error:
            unknown_error = error
        try:
            await self._wait_until_shown(call, is_done)
        except WeChatError:
            if unknown_error is not None:
                raise unknown_error from None
            raise

    async def _wait_until_shown(self, call: str, is_done: Callable[[], Awaitable[bool]]) -> None:
        """Wait for a change to show; raise WeChatNotDone if it does not."""
        deadline = asyncio.get_running_loop().time() + self._timing.read_back
        pause = 0.05
        while not await with_retries(is_done):
            if asyncio.get_running_loop().time() + pause > deadline:
                raise WeChatNotDone(call, "the call succeeded, but reading back shows no change")
            await asyncio.sleep(pause)
            pause *= 2


class Sending(AccountCalls):
    """Sending messages, and reading the content of received ones."""

    async def send_text(
        self, to: str, text: str, mentions: Sequence[str] = (), *, choices: Sequence[str] = (), key: str = ""
    ) -> str:
        """Send a text; `mentions` are group members to mention. Return the message id, or "".

        `choices` and `key` are ignored by this channel.
        """
        return self._sent_messages.add(await self._puppet_client.message_send_text(to, text, mentions))

    async def send_media(self, to: str, media: Media, *, key: str = "") -> str:
        """Send an image or file."""
        box = await filebox.to_box(media, self._puppet_client.online_wire("MessageSendFile"))
        return self._sent_messages.add(await self._puppet_client.message_send_box(to, box, timeout=60.0))

    async def send_link(self, to: str, link: Link, *, key: str = "") -> str:
        """Send a link card."""
        return self._sent_messages.add(await self._puppet_client.message_send_link(to, link))

    async def send_contact(self, to: str, contact_id: str, *, key: str = "") -> str:
        """Send a contact card."""
        return self._sent_messages.add(await self._puppet_client.message_send_contact(to, contact_id))

    async def send_mini_program(self, to: str, program: MiniProgram, *, key: str = "") -> str:
        """Send a mini-program card."""
        return self._sent_messages.add(await self._puppet_client.message_send_program(to, program))

    async def media(self, message_id: str) -> Media:
        """Return the file of a message."""
        return await self._read_file(message_id, MAX_IN_MEMORY)

    async def file(self, message_id: str) -> Media:
        """Return the file of a message; a large one is a temporary file on disk."""
        return await self._read_file(message_id, filebox.MAX_FILE, on_disk=True)

    async def _read_file(self, message_id: str, limit: int, *, on_disk: bool = False) -> Media:
        async def read() -> Media:
            box = await with_retries(lambda: self._puppet_client.message_box(gateway_id(message_id)))
            return await self._opened(box, "MessageFile", limit, on_disk=on_disk)

        return await read_until_written(read, lambda media: not media.size)

    async def _opened(self, box: str, call: str, limit: int, *, on_disk: bool = False) -> Media:
        wire = self._puppet_client.online_wire(call)
        return await filebox.from_box(box, wire, limit=limit, on_disk=on_disk, private_hosts=self._private_hosts)

    async def image(self, message_id: str) -> Media:
        """Return the image of a message.

        The file is tried first: some gateways that have no images return a placeholder as the image.
        """
        try:
            return await self.media(message_id)
        except WeChatRefused:
            box = await with_retries(lambda: self._puppet_client.message_image_box(gateway_id(message_id), HD))
            return await self._opened(box, "MessageImage", MAX_IN_MEMORY)

    async def link(self, message_id: str) -> Link:
        """Return the link card of a message."""
        answer = await with_retries(lambda: self._puppet_client.message_link(gateway_id(message_id)))
        if answer.HasField("url_link"):
            payload = answer.url_link
            return Link(*map(clean, (payload.title, payload.url, payload.description, payload.thumbnail_url)))
        try:
            old = clean_json(json.loads(answer.url_link_json))
            return Link(old["title"], old["url"], old.get("description") or "", old.get("thumbnailUrl") or "")
        except (ValueError, KeyError, TypeError, RecursionError):
            raise WeChatRefused("MessageUrl", "the gateway returned an invalid link") from None

    async def card(self, message_id: str) -> str:
        """Return the id of the person on a card message."""
        return await with_retries(lambda: self._puppet_client.message_contact(gateway_id(message_id)))

    async def program_title(self, message_id: str) -> str:
        """Return the title of a mini-program message."""
        answer = await with_retries(lambda: self._puppet_client.message_program(gateway_id(message_id)))
        if answer.HasField("mini_program"):
            return clean(answer.mini_program.title)
        try:
            return str(clean_json(json.loads(answer.mini_program_json))["title"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise WeChatRefused("MessageMiniProgram", "the gateway returned an invalid mini-program") from None

    async def place(self, message_id: str) -> str:
        """Return name and address of a location message."""
        place = await with_retries(lambda: self._puppet_client.message_place(gateway_id(message_id)))
        return clean(" ".join(filter(None, dict.fromkeys((place.name, place.address)))))


class PeopleCalls(AccountCalls):
    """Operations on friends and other contacts."""

    async def accept_friend(self, friendship_id: str) -> None:
        """Accept a friend request; the event FriendAdded follows."""
        await self._puppet_client.friendship_accept(friendship_id)

    async def set_alias(self, contact_id: str, alias: str) -> None:
        """Set the remark of a contact; "" removes it."""

        async def is_done() -> bool:
            return same_name((await self._reader.read_contact(contact_id, fresh=True)).alias, alias)

        await self._change("ContactAlias", self._puppet_client.contact_alias(contact_id, alias), is_done)

    async def contact(self, contact_id: str, *, fresh: bool = False) -> Contact:
        """Return a contact; `fresh`: read it without any cache."""
        if fresh:
            return await with_retries(lambda: self._reader.read_contact(contact_id, fresh=True))
        return await self._reader.contact(contact_id)

    async def search_contacts(self, name: str) -> None:
        """Read contacts that may be a friend of this name but are not known as one.

        These are new entries of the contact list and strangers of this name. If that takes too long, the directory
        stays as it is.
        """
        directory = self.directory
        try:
            async with asyncio.timeout(self._timing.look):
                listed_ids = await self._puppet_client.contact_list()
                old = frozenset(listed_ids if directory.unread is None else directory.unread)
                new = [id for id in listed_ids if id not in directory.contacts]
                await self._reader.read_each(new, self._reader.read_contact)
                strangers = [contact.id for contact in directory.find(name) if not contact.friend]
                await self._reader.read_each(strangers, lambda id: self._reader.read_contact(id, fresh=True))
        except (WeChatError, TimeoutError) as error:
            log.info("%s: could not read the list of contacts: %s", self.account, type(error).__name__)
            return
        friends = (id for id in (*new, *strangers) if id in directory.contacts and directory.contacts[id].friend)
        self.directory_updates.found_friends(id for id in friends if id not in old)

    async def log_out(self) -> None:
        """Log the account out at its gateway, which then shows a login QR code."""
        await self._change("Logout", self._puppet_client.log_out(), self._is_logged_out)

    async def _is_logged_out(self) -> bool:
        return not self._puppet_client.login_user_id

    async def self_qr_code(self) -> str:
        """Return the content of the account's QR code."""
        return await self._puppet_client.contact_self_qr_code()
