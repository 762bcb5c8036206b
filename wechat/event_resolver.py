"""Resolves raw events: reads payloads and looks up contacts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from errors import WeChatError, WeChatOffline
from protocol import puppet_pb2 as pb
from protocol.codec import clean
from wechat.directory import CachedDirectory
from wechat.directory_reader import DirectoryReader, is_official, with_retries
from wechat.entities import Contact
from wechat.event_parser import MalformedEvent, may_be_id, moment, people_of, text_of, text_or_empty
from wechat.events import (
    REPEATED_ID,
    Event,
    FriendAdded,
    FriendRequested,
    GroupMessage,
    MemberJoined,
    MemberLeft,
    MessageFailed,
    MessageKind,
    PrivateMessage,
    RawEvent,
    RoomInvited,
    TopicChanged,
)
from wechat.mentions import is_to_everybody, mentioned_ids, mentions_name
from wechat.message_content import hello_of, read_content
from wechat.names import clean_name
from wechat.notes import Note, note_in
from wechat.puppet import PatchedPuppet
from wechat.sent_messages import SentMessages
from wechat.typed_markup import typed_words

log = logging.getLogger(__name__)
REREAD_INTERVAL: Final = 5.0  # seconds between reads of the same stranger
MAX_REREAD: Final = 10_000

# MessageType of wechaty-puppet (TypeScript), which is sent on the wire; the enum of wechaty-grpc differs.
KINDS: Final = (
    MessageKind.OTHER,
    MessageKind.FILE,
    MessageKind.AUDIO,
    MessageKind.CARD,
    MessageKind.CHAT_HISTORY,
    MessageKind.EMOTICON,
    MessageKind.IMAGE,
    MessageKind.TEXT,
    MessageKind.LOCATION,
    MessageKind.MINI_PROGRAM,
    MessageKind.SYSTEM,  # GroupNote
    MessageKind.TRANSFER,
    MessageKind.RED_ENVELOPE,
    MessageKind.RECALLED,
    MessageKind.LINK,
    MessageKind.VIDEO,
    MessageKind.OTHER,  # Post
)
UNDELIVERED: Final = (Note.REFUSED, Note.NO_FRIEND)
CONFIRMED, REQUESTED, VERIFY = 1, 2, 3  # FriendshipType; "verify": a message was refused, for the receiver is no friend


OnConversation = Callable[[str], None]


class EventResolver:
    """Resolves the events of one account."""

    def __init__(
        self, puppet: PatchedPuppet, directory: CachedDirectory, reader: DirectoryReader, sent_messages: SentMessages
    ) -> None:
        self._puppet = puppet
        self._directory = directory
        self._reader = reader
        self._sent_messages = sent_messages
        self._room_names: dict[str, str] = {}  # the account's alias by group
        self._reread_at: dict[str, float] = {}  # when strangers who wrote were last read

    async def resolve(self, raw: RawEvent, on_conversation: OnConversation) -> Event | None:
        """Resolve an event; None if it is ignored. Raises WeChatError if a payload cannot be read.

        `on_conversation` is called with the conversation as soon as it is known, as the other calls may take long.
        """
        try:
            if raw.kind == "message":
                return await self._message(raw, on_conversation)
            if raw.kind == "friendship":
                return await self._friendship(raw)
            if raw.kind == "room-invite":
                return await self._invitation(raw)
            if raw.kind in ("room-join", "room-leave", "room-topic"):
                return await self._room_event(raw, on_conversation)
        except MalformedEvent as error:
            log.warning("%s: %s event dropped: %s", raw.account, raw.kind, error)
            return None
        log.warning("%s: event of unknown kind dropped", raw.account)
        return None

    def forget(self, room_id: str) -> None:
        """Drop the cached alias of the account in a group."""
        self._room_names.pop(room_id, None)

    async def _message(self, raw: RawEvent, on_conversation: OnConversation) -> Event | None:
        id = text_of(raw.data, "messageId")
        if id in self._sent_messages:
            return None
        if raw.data.get(REPEATED_ID):  # reported a second time: the gateway's cached payload may be the first one's
            await self._reader.drop_cached(pb.DIRTY_MESSAGE, id)
        payload = await with_retries(lambda: self._puppet.message_payload(id))
        talker_id, room_id = payload.talker_id, payload.room_id
        if not room_id and (note := note_in(payload.text)) is not None:
            return self._undelivered(raw, payload, note, on_conversation)
        if not talker_id or talker_id == self._directory.owner_id:
            return None
        talker_id = self._directory.resolve_id(talker_id)
        on_conversation(room_id or talker_id)
        talker = await self._person(talker_id)
        at = _received(payload, raw.at)
        kind = KINDS[payload.type] if 0 <= payload.type < len(KINDS) else MessageKind.OTHER
        content = read_content(payload.text, kind)
        values: dict[str, Any] = {field.name: getattr(content, field.name) for field in fields(content)}
        values |= {"account": raw.account, "id": raw.id, "at": at, "contact_id": talker_id, "name": talker.name}
        if not room_id:
            if not (talker.friend or talker.official):
                talker = await self._reread_stranger(talker)
            return PrivateMessage(**values, is_friend=talker.friend, is_official=talker.official)
        if room_id not in self._directory.rooms:
            await self._new_room(room_id)
        mentions = () if is_to_everybody(content.text) else tuple(payload.mention_ids)
        mentioned = self._directory.owner_id in mentions
        by_name = not mentions and "@" in content.text and content.kind is MessageKind.TEXT
        if by_name:
            mentions, mentioned = await self._mentions(room_id, content.text)
        own_name = await self._name_in(room_id) if mentioned and "@" in content.text else ""
        values |= {"arrived_at": raw.at.timestamp(), "file_name": clean_name(payload.filename)}
        values |= {"typed": typed_words(clean(payload.text), content) if kind is MessageKind.TEXT else ""}
        return GroupMessage(
            **values, room_id=room_id, mentions=mentions, mentioned=mentioned, by_name=by_name, own_name=own_name
        )

    def _undelivered(self, raw: RawEvent, payload: Any, note: Note, on_conversation: OnConversation) -> Event | None:
        """Return the event of a WeChat notice that a private message of the account was not delivered."""
        recipient = payload.listener_id if payload.talker_id == self._directory.owner_id else payload.talker_id
        if note not in UNDELIVERED or not recipient:
            return None
        on_conversation(recipient)
        return MessageFailed(raw.account, raw.id, _received(payload, raw.at), recipient, "", note.value, True)

    async def _person(self, id: str) -> Contact:
        """Return the sender. The event is handled even if the sender is unknown and cannot be read."""
        try:
            return await self._reader.contact(id)
        except WeChatOffline:
            raise
        except WeChatError as error:
            log.warning("%s: could not read the sender of a message: %s", self._puppet.name, error)
            return Contact(id, friend=True, official=is_official(id))

    async def _reread_stranger(self, stranger: Contact) -> Contact:
        """Read a stranger who wrote again, at most every few seconds: they have probably become a friend."""
        now = time.monotonic()
        if now - self._reread_at.get(stranger.id, -REREAD_INTERVAL) < REREAD_INTERVAL:
            return stranger
        if len(self._reread_at) >= MAX_REREAD:
            self._reread_at.clear()
        self._reread_at[stranger.id] = now
        try:
            return await self._reader.read_contact(stranger.id, fresh=True)
        except WeChatOffline:
            raise
        except WeChatError as error:
            log.info("%s: could not read the sender of a message again: %s", self._puppet.name, error)
            return stranger

    async def _new_room(self, room_id: str) -> None:
        try:
            await self._reader.room(room_id)
        except WeChatOffline:
            raise
        except WeChatError as error:
            log.warning("%s: could not read a group: %s", self._puppet.name, error)

    async def _mentions(self, room_id: str, text: str) -> tuple[tuple[str, ...], bool]:
        """Find the mentioned people by name: the account by its name or alias, members by names that are unique."""
        owner_id, room = self._directory.owner_id, self._directory.rooms.get(room_id)
        owner = self._directory.contacts.get(owner_id)
        names = [owner.name] if owner else []
        members = room.member_ids if room else set()
        ids = mentioned_ids(text, lambda name: [c.id for c in self._directory.find(name, among=members)])
        mentioned = owner_id in ids or mentions_name(text, names) or mentions_name(text, [await self._name_in(room_id)])
        if mentioned and owner_id not in ids:
            ids = (owner_id, *ids)
        return ids, mentioned

    async def _name_in(self, room_id: str) -> str:
        """Return the account's alias in a group, read once; "" if it has none."""
        if (name := self._room_names.get(room_id)) is None:
            try:
                payload = await self._puppet.room_member_payload(room_id, self._directory.owner_id)
            except WeChatOffline:
                raise
            except WeChatError:
                return ""
            name = self._room_names[room_id] = clean_name(payload.room_alias)
        return name

    async def _friendship(self, raw: RawEvent) -> Event | None:
        id = text_of(raw.data, "friendshipId")
        payload = await with_retries(lambda: self._puppet.friendship_payload(id))
        contact_id = self._directory.resolve_id(payload.contact_id)
        if not contact_id or payload.type not in (CONFIRMED, REQUESTED, VERIFY):
            log.info("%s: friendship of type %s dropped", raw.account, payload.type)
            return None
        if payload.type == VERIFY:
            reason = Note.NO_FRIEND.value
            return MessageFailed(raw.account, raw.id, raw.at, contact_id, "", reason, unfriended=True, accepted=False)
        if payload.type == CONFIRMED:  # the known data is outdated: read it again
            contact = await self._new_friend(contact_id)
            return FriendAdded(raw.account, raw.id, raw.at, contact_id, contact.name)
        contact = await self._person(contact_id)
        return FriendRequested(raw.account, raw.id, raw.at, contact_id, id, hello_of(payload.hello), contact.name)

    async def _new_friend(self, id: str) -> Contact:
        """Read a person who has become a friend. A person who cannot be read, or is not listed as a friend, still
        counts as one, because of the event."""
        try:
            await with_retries(lambda: self._reader.read_contact(id, fresh=True))
        except WeChatOffline:
            raise
        except WeChatError as error:
            log.warning("%s: a new friend could not be read: %s", self._puppet.name, error)
        self._directory.befriend(id)
        return self._directory.contacts[id]

    async def _invitation(self, raw: RawEvent) -> Event | None:
        id = text_of(raw.data, "roomInvitationId")
        payload = await with_retries(lambda: self._puppet.room_invitation_payload(id))
        return RoomInvited(raw.account, raw.id, raw.at, id, payload.inviter_id, clean_name(payload.topic))

    async def _room_event(self, raw: RawEvent, on_conversation: OnConversation) -> Event | None:
        data, room_id = raw.data, text_of(raw.data, "roomId")
        on_conversation(room_id)
        if raw.kind == "room-topic":
            return TopicChanged(
                raw.account,
                raw.id,
                raw.at,
                room_id,
                clean_name(text_of(data, "newTopic", allow_empty=True)),
                clean_name(text_or_empty(data, "oldTopic")),
                text_or_empty(data, "changerId"),
            )
        if raw.kind == "room-leave":
            leavers = people_of(data, "removeeIdList")
            return MemberLeft(raw.account, raw.id, raw.at, room_id, leavers, text_or_empty(data, "removerId"))
        joined = people_of(data, "inviteeIdList")
        if room_id not in self._directory.rooms:
            await self._new_room(room_id)
        contacts = self._directory.contacts
        unknown = [id for id in joined if may_be_id(id) and not (id in contacts and contacts[id].name)]
        await self._reader.read_each(unknown, self._reader.contact)
        return MemberJoined(raw.account, raw.id, raw.at, room_id, joined, text_or_empty(data, "inviterId"))


def _received(payload: Any, arrived: datetime) -> datetime:
    """Return when the message was received. Gateways fill one of two fields, in seconds or milliseconds."""
    if payload.HasField("receive_time"):
        seconds = payload.receive_time.seconds + payload.receive_time.nanos / 1e9
        if seconds < 1e8:  # the puppet sent seconds instead of milliseconds
            seconds *= 1000
        return moment(seconds, arrived)
    return moment(payload.timestamp_deprecated, arrived)
