"""Reads contacts and groups from the gateway into the directory."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar

import stamina

from concurrency import SingleFlight, gather_or_cancel
from errors import WeChatError, WeChatOffline, WeChatRefused, WeChatTooFast, WeChatUnknown
from protocol import puppet_pb2 as pb
from wechat.directory import CachedDirectory
from wechat.entities import Contact, Room
from wechat.names import clean_name
from wechat.puppet import PatchedPuppet

log = logging.getLogger(__name__)
T = TypeVar("T")

OFFICIAL: Final = 2  # ContactType of the protocol: 1 individual, 2 official, 3 corporation
# WeChat's own accounts, which gateways report as friends. They are not people.
SYSTEM_IDS: Final = frozenset((
    "weixin", "filehelper", "fmessage", "medianote", "floatbottle", "qqmail", "tmessage", "qmessage", "qqsync",
    "newsapp", "notifymessage", "weixinreminder", "mphelper", "feedsapp", "brandsessionholder", "blogappweixin",
    "masssendapp", "blogapp", "facebookapp", "voip", "officialaccounts", "lbsapp", "notification_messages",
    "helper_entry", "appbrandcustomerservicemsg", "shakeapp", "readerapp", "meishiapp", "qqfriend", "weibo",
))  # fmt: skip
READERS: Final = 24  # concurrent reads; the wire allows 32 calls, the others are for requests that people wait for
ATTEMPTS: Final = 3
REREAD_INTERVAL: Final = 2.0  # seconds between reads of the same person without a name
MAX_REREAD: Final = 10_000


def is_transient(error: Exception) -> bool:
    """Whether a failed read should be retried."""
    return isinstance(error, WeChatUnknown | WeChatRefused) and not isinstance(error, WeChatTooFast)


async def with_retries(read: Callable[[], Awaitable[T]]) -> T:
    """Call `read`; retry twice with growing waits on transient errors."""
    try:
        return await read()
    except WeChatError as error:
        if not is_transient(error):
            raise
    async for attempt in stamina.retry_context(
        on=is_transient, attempts=ATTEMPTS - 1, wait_initial=0.2, wait_max=2.0, wait_jitter=0.2
    ):
        with attempt:
            return await read()
    raise AssertionError("unreachable: stamina either returns or raises")


class DirectoryReader:
    """Reads contacts and groups; concurrent reads of the same contact are shared."""

    def __init__(self, puppet: PatchedPuppet, directory: CachedDirectory) -> None:
        self._puppet = puppet
        self._directory = directory
        self._reading = SingleFlight[str, Contact]()
        self._reread_at: dict[str, float] = {}  # people without a name, and when they were last read anew

    async def contact(self, id: str) -> Contact:
        """Return a person from the directory; read them if unknown, and occasionally while they have no name."""
        contact = self._directory.contacts.get(id)
        if contact is None:
            return await self._reading.run(id, lambda: with_retries(lambda: self.read_contact(id)))
        return contact if contact.name else await self.reread_nameless(contact)

    async def reread_nameless(self, nameless: Contact) -> Contact:
        """Read a person without a name again: gateways report people before their data is available."""
        now = time.monotonic()
        if now - self._reread_at.get(nameless.id, -REREAD_INTERVAL) < REREAD_INTERVAL:
            return nameless
        if len(self._reread_at) >= MAX_REREAD:
            self._reread_at.clear()
        self._reread_at[nameless.id] = now
        try:
            return await self.read_contact(nameless.id, fresh=True)
        except WeChatOffline:
            raise
        except WeChatError as error:
            log.info("%s: could not read a person without a name again: %s", self._puppet.name, error)
            return nameless

    async def read_contact(self, id: str, *, fresh: bool = False) -> Contact:
        """Read a contact; `fresh`: without the gateway's cache."""
        if fresh:
            await self.drop_cached(pb.DIRTY_CONTACT, id)
        self._directory.put_contact(contact_of(id, await self._puppet.contact_payload(id)))
        return self._directory.contacts[id]

    async def room(self, id: str) -> Room:
        """Return a group from the directory, reading it if it is unknown."""
        room = self._directory.rooms.get(id)
        return room if room is not None else await with_retries(lambda: self.read_room(id))

    async def read_room(self, id: str, *, fresh: bool = False) -> Room:
        """Read a group's payload, and its member list where the payload has none. Returned is what was read; the
        directory keeps who is missing until that is certain (wechat.absences)."""
        started, was_known = datetime.now(UTC), id in self._directory.rooms
        if fresh:
            await self.drop_cached(pb.DIRTY_ROOM, id)
            await self.drop_cached(pb.DIRTY_ROOM_MEMBER, id)
        payload = await self._puppet.room_payload(id)
        members = list(payload.member_ids) or await self._puppet.room_members(id)
        room = Room(id, clean_name(payload.topic), payload.owner_id, tuple(payload.admin_ids), set(members))
        # gateways also return a group that the account has left since
        if id in self._directory.rooms or not was_known:
            self._directory.put_room(room, started)
        return room

    async def read_each(self, ids: Iterable[str], read: Callable[[str], Awaitable[object]]) -> None:
        """Call `read` for every id, with limited concurrency. Failed reads are skipped; WeChatOffline is raised."""
        left = iter(list(ids))

        async def work() -> None:
            for id in left:
                try:
                    await with_retries(partial(read, id))
                except WeChatOffline:
                    raise
                except WeChatError as error:
                    log.warning("%s: reading failed: %s", self._puppet.name, error)

        await gather_or_cancel(*(work() for _ in range(READERS)))

    async def drop_cached(self, kind: int, id: str) -> None:
        """Make the gateway drop its cached payload; gateways without this call have no cache or keep it up to
        date.
        """
        try:
            await self._puppet.dirty_payload(kind, id)
        except WeChatRefused as error:
            log.debug("%s: %s", self._puppet.name, error)


def contact_of(id: str, payload: pb.ContactPayloadResponse) -> Contact:
    """Create a contact from its payload."""
    return Contact(
        id=id,
        name=clean_name(payload.name),
        alias=clean_name(payload.alias),
        weixin=payload.weixin,
        friend=payload.friend,
        official=payload.type == OFFICIAL or is_official(id),
        avatar=payload.avatar,
    )


def is_official(id: str) -> bool:
    """Whether an id is that of an official account or of WeChat itself."""
    return id.startswith("gh_") or id in SYSTEM_IDS
