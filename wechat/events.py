"""Events as used by the rest of wxbot, independent of the SDK."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class MessageKind(StrEnum):
    """Kinds of messages."""

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


REPEATED_ID = "again"  # key in the data of an event whose id came before: it is read past the gateway's cache
REUSED_ID_MARK = "#again:"  # follows the gateway's id in the id of an event whose id came before with another content


def gateway_id(message_id: str) -> str:
    """Return the gateway's id of a message."""
    return message_id.partition(REUSED_ID_MARK)[0]


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event as sent by the gateway, before its payload was read. The inbox stores these.

    `id` is unique within the account and the same for a repeat of the event; `kind` is one of message, friendship,
    room-join, room-leave, room-topic, room-invite; `data` is the gateway's JSON object.
    """

    account: str
    id: str
    kind: str
    data: dict[str, Any]
    at: datetime
    position: str = ""  # position in a relay's journal, if the gateway is a relay


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events. `id` is unique within the account, `at` is in UTC."""

    account: str
    id: str
    at: datetime

    @property
    def conversation(self) -> str:
        """The id of the person or room; events of a conversation are handled in order."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class FriendRequested(Event):
    """A friend request; `hello` is the verification text."""

    contact_id: str
    friendship_id: str
    hello: str = ""
    name: str = ""

    @property
    def conversation(self) -> str:
        return self.contact_id


@dataclass(frozen=True, slots=True)
class FriendAdded(Event):
    """A person has become a friend. `is_new` is False for a known customer to be welcomed again."""

    contact_id: str
    name: str = ""
    is_new: bool = True

    @property
    def conversation(self) -> str:
        return self.contact_id


@dataclass(frozen=True, slots=True)
class Message(Event):
    """A message. `id` is WeChat's message id, with which media are fetched."""

    contact_id: str  # the sender
    name: str  # their nickname, for display only
    text: str
    kind: MessageKind = MessageKind.TEXT
    target: str = ""  # the target of a card, if the message contains it: a link's URL, a contact's id
    quoted: str = ""  # what a reply quotes
    quoted_kind: MessageKind = MessageKind.TEXT
    quoted_by: str = ""  # the id or name of who is quoted


@dataclass(frozen=True, slots=True)
class PrivateMessage(Message):
    """A private message to the assistant."""

    is_friend: bool = True
    is_official: bool = False  # from an official account (公众号)

    @property
    def conversation(self) -> str:
        return self.contact_id


@dataclass(frozen=True, slots=True)
class StaffMessage(Event):
    """A staff member answered a customer from their own client."""

    contact_id: str
    staff_id: str
    text: str = ""
    kind: MessageKind = MessageKind.TEXT

    @property
    def conversation(self) -> str:
        return self.contact_id


class SessionStep(StrEnum):
    """A change of a session in the staff's own client."""

    TAKEN = "taken"  # by a staff member, from the queue or from a colleague
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class SessionChanged(Event):
    """Staff took a customer's session over in their own client, or it has ended."""

    contact_id: str
    step: SessionStep
    staff_id: str = ""

    @property
    def conversation(self) -> str:
        return self.contact_id


@dataclass(frozen=True, slots=True)
class MessageFailed(Event):
    """A message was not delivered.

    `message_id`: the id of our job, or "" if WeChat does not say which; `unfriended`: the receiver is no longer a
    friend; `accepted`: the message had been accepted, otherwise its sending may have been refused as well.
    """

    contact_id: str
    message_id: str
    reason: str = ""
    unfriended: bool = False
    accepted: bool = True

    @property
    def conversation(self) -> str:
        return self.contact_id


@dataclass(frozen=True, slots=True)
class GroupMessage(Message):
    """A message in a group. `mentions` are WeChat ids, `mentioned`: the assistant is among them.

    `by_name`: the mentions were parsed from the text, because the gateway did not report them. `typed`: the words in a
    text that reads as WeChat's XML or as a system line; if somebody has typed it, the others see these words.
    """

    room_id: str = ""
    mentions: tuple[str, ...] = ()
    mentioned: bool = False
    by_name: bool = False
    arrived_at: float = 0.0  # Unix seconds, by the clock here
    own_name: str = ""  # the assistant's alias in the group, if it has one
    typed: str = ""
    file_name: str = ""

    @property
    def conversation(self) -> str:
        return self.room_id


@dataclass(frozen=True, slots=True)
class RoomEvent(Event):
    """Base of events about a group."""

    room_id: str

    @property
    def conversation(self) -> str:
        return self.room_id


@dataclass(frozen=True, slots=True)
class MemberJoined(RoomEvent):
    """People joined, in any way."""

    contact_ids: tuple[str, ...]
    inviter_id: str = ""


@dataclass(frozen=True, slots=True)
class MemberLeft(RoomEvent):
    """People left or were removed; `remover_id` is empty or one of them if they left themselves."""

    contact_ids: tuple[str, ...]
    remover_id: str = ""


@dataclass(frozen=True, slots=True)
class TopicChanged(RoomEvent):
    """The topic of a group changed."""

    topic: str
    old_topic: str = ""
    changer_id: str = ""


@dataclass(frozen=True, slots=True)
class RoomInvited(Event):
    """The assistant was invited to a group."""

    invitation_id: str
    inviter_id: str = ""
    topic: str = ""

    @property
    def conversation(self) -> str:
        return self.inviter_id or self.invitation_id
