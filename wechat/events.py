"""What happened in WeChat, in the words our own code speaks. The platform's objects stop before this."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class MessageKind(StrEnum):
    """What a message is made of."""

    TEXT = "text"
    IMAGE = "image"
    FILE = "file"
    AUDIO = "audio"
    VIDEO = "video"
    EMOTICON = "emoticon"
    CARD = "card"
    LINK = "link"
    MINI_PROGRAM = "mini_program"
    LOCATION = "location"
    CHAT_HISTORY = "chat_history"
    TRANSFER = "transfer"
    RED_ENVELOPE = "red_envelope"
    RECALLED = "recalled"
    PAT = "pat"  # 拍一拍
    SYSTEM = "system"
    OTHER = "other"


AGAIN = "again"  # in the data of an event whose id came before: read it past the gateway's cache
REUSED = "#again:"  # in the id of an event, behind the gateway's id, which came before with another content


def gateway_id(message_id: str) -> str:
    """The id by which the gateway knows a message."""
    return message_id.partition(REUSED)[0]


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event as the gateway sent it, before its payload was read: what the inbox stores first.

    `id` is unique within the account and the same for a repeat of the event; `kind` is one of
    message, friendship, room-join, room-leave, room-topic, room-invite; `data` is the gateway's JSON object.
    """

    account: str
    id: str
    kind: str
    data: dict[str, Any]
    at: datetime
    position: str = ""  # in the journal of a relay, where the gateway is one


@dataclass(frozen=True, slots=True)
class Event:
    """The base of all: `id` is unique within the account, `at` is UTC."""

    account: str
    id: str
    at: datetime

    @property
    def conversation(self) -> str:
        """The id whose events are handled one after the other: a room, or a person."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class FriendRequested(Event):
    """A person asks to become a friend; `hello` is the verification text."""

    contact_id: str
    friendship_id: str
    hello: str = ""
    name: str = ""

    @property
    def conversation(self) -> str:
        return self.contact_id


@dataclass(frozen=True, slots=True)
class FriendAdded(Event):
    """A person has become a friend, whoever asked."""

    contact_id: str
    name: str = ""

    @property
    def conversation(self) -> str:
        return self.contact_id


@dataclass(frozen=True, slots=True)
class Message(Event):
    """Something was said. `id` is WeChat's message id, with which media are fetched."""

    contact_id: str  # who said it
    name: str  # their nickname, for texts only: never an identity
    text: str
    kind: MessageKind = MessageKind.TEXT
    target: str = ""  # where a card leads, if the message itself says it: a link's URL, a contact's id
    quoted: str = ""  # what a reply quotes
    quoted_kind: MessageKind = MessageKind.TEXT


@dataclass(frozen=True, slots=True)
class PrivateMessage(Message):
    """A message to the assistant itself."""

    is_friend: bool = True
    is_official: bool = False  # an official account (公众号), not a person

    @property
    def conversation(self) -> str:
        return self.contact_id


@dataclass(frozen=True, slots=True)
class StaffMessage(Event):
    """A member of staff has answered a customer in their own client, not through the assistant."""

    contact_id: str
    staff_id: str
    text: str = ""
    kind: MessageKind = MessageKind.TEXT

    @property
    def conversation(self) -> str:
        return self.contact_id


@dataclass(frozen=True, slots=True)
class MessageFailed(Event):
    """A message of ours that was taken did not reach its receiver. `message_id`: the number of our work, or "" where
    WeChat does not say which; `unfriended`: the receiver is no friend any more."""

    contact_id: str
    message_id: str
    reason: str = ""
    unfriended: bool = False

    @property
    def conversation(self) -> str:
        return self.contact_id


@dataclass(frozen=True, slots=True)
class GroupMessage(Message):
    """A message in a group. `mentions` are WeChat ids; `mentioned` says the assistant is among them; `by_name`: the
    gateway did not tell them, they were read out of the text."""

    room_id: str = ""
    mentions: tuple[str, ...] = ()
    mentioned: bool = False
    by_name: bool = False
    own_name: str = ""  # what the assistant is called in the group, if that is a name of its own

    @property
    def conversation(self) -> str:
        return self.room_id


@dataclass(frozen=True, slots=True)
class RoomEvent(Event):
    """The base of what happens to a group."""

    room_id: str

    @property
    def conversation(self) -> str:
        return self.room_id


@dataclass(frozen=True, slots=True)
class MemberJoined(RoomEvent):
    """People came in, by whatever way."""

    contact_ids: tuple[str, ...]
    inviter_id: str = ""


@dataclass(frozen=True, slots=True)
class MemberLeft(RoomEvent):
    """People went or were taken out; `remover_id` is empty or one of them when they went by themselves."""

    contact_ids: tuple[str, ...]
    remover_id: str = ""


@dataclass(frozen=True, slots=True)
class TopicChanged(RoomEvent):
    """The group has another name."""

    topic: str
    old_topic: str = ""
    changer_id: str = ""


@dataclass(frozen=True, slots=True)
class RoomInvited(Event):
    """The assistant itself is invited into a group."""

    invitation_id: str
    inviter_id: str = ""
    topic: str = ""

    @property
    def conversation(self) -> str:
        return self.inviter_id or self.invitation_id


# ---- what is known of people and groups ----


@dataclass(slots=True)
class Contact:
    """A person (or an official account) the assistant knows of."""

    id: str
    name: str = ""
    alias: str = ""  # 备注, given by the assistant
    weixin: str = ""  # 微信号
    friend: bool = False
    official: bool = False
    avatar: str = ""


@dataclass(slots=True)
class Room:
    """A group the assistant is in."""

    id: str
    topic: str = ""
    owner_id: str = ""
    admin_ids: tuple[str, ...] = ()
    member_ids: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Media:
    """A file's bytes with the name it travels under."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """A link card."""

    title: str
    url: str
    description: str = ""
    thumbnail: str = ""


@dataclass(frozen=True, slots=True)
class MiniProgram:
    """A mini-program card."""

    appid: str
    title: str
    username: str = ""
    page_path: str = ""
    description: str = ""
