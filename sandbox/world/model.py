"""Data classes of the world."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

ROOM_SUFFIX: Final = "@chatroom"


class Refused(Exception):
    """WeChat rejected the action. `code` is WeChat's error number, if known (-2028: the owner must confirm)."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(f"{text}({code})" if code else text)
        self.code = code


class ObjectNotFound(Refused):
    """No object has this id, or this person cannot see it."""


class Kind(StrEnum):
    """Kinds of messages; the last three are shown to people but not sent to bots."""

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
    RECALLED = "recalled"
    NOTE = "note"  # a grey system line in a chat
    INVITATION = "invitation"
    CONFIRMATION = "confirmation"  # asks the owner to confirm a join


MEDIA_KINDS: Final = frozenset({Kind.IMAGE, Kind.FILE, Kind.AUDIO, Kind.VIDEO, Kind.EMOTICON})
PEOPLE_ONLY: Final = frozenset({Kind.NOTE, Kind.INVITATION, Kind.CONFIRMATION})


@dataclass(slots=True)
class Person:
    """A person with a WeChat account, possibly an assistant. `friends` is their own contact list."""

    id: str
    name: str
    weixin: str  # 微信号
    uin: int  # a unique number, the prefix of the ids of messages they see
    official: bool = False  # an official account (公众号)
    signature: str = ""
    phone: str = ""
    friends: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)  # 备注, by person id
    tags: dict[str, list[str]] = field(default_factory=dict)  # person ids by tag
    read: dict[str, int] = field(default_factory=dict)  # last message read, by chat


@dataclass(slots=True)
class Account:
    """An assistant: a person controlled by a bot through the gateway."""

    name: str
    person_id: str
    online: bool = True


@dataclass(slots=True)
class Friendship:
    """A friend request; `state` is waiting, accepted or refused."""

    id: str
    asker: str
    asked: str
    hello: str
    at: float
    state: str = "waiting"
    type: int = 2  # 1 confirm, 2 receive, 3 verify, as in the protocol


@dataclass(slots=True)
class Member:
    """A member of a group."""

    person_id: str
    joined_at: float
    inviter: str = ""
    alias: str = ""  # 群昵称


@dataclass(slots=True)
class WorldRoom:
    """A group. `confirm` is the owner's 群聊邀请确认."""

    id: str
    owner: str
    created_at: float
    topic: str = ""
    announcement: str = ""
    confirm: bool = False
    admins: set[str] = field(default_factory=set)
    members: dict[str, Member] = field(default_factory=dict)
    former: set[str] = field(default_factory=set)  # people who have left; their client still shows the group
    audience: frozenset[str] = frozenset()  # ids of the members; messages sent with the same members share the object

    def manages(self, person_id: str) -> bool:
        """Whether this person is the owner or an admin."""
        return person_id == self.owner or person_id in self.admins


@dataclass(slots=True)
class Invitation:
    """An invitation card; accepting it joins the group."""

    id: str
    room_id: str
    inviter: str
    invitee: str
    at: float
    approved: bool = False  # the owner has already confirmed
    state: str = "open"  # open | used


@dataclass(slots=True)
class Confirmation:
    """A join that the owner must confirm; `state` is open, approved or refused."""

    id: str
    room_id: str
    inviter: str
    invitee: str
    at: float
    state: str = "open"


@dataclass(slots=True)
class QrCode:
    """A group's QR code."""

    code: str
    room_id: str
    sharer: str
    expires: float


@dataclass(slots=True)
class ChatMessage:
    """A message. `to` is the id of a person or group; `audience` those who can see it, including the sender."""

    seq: int
    kind: Kind
    sender: str
    to: str
    at: float
    text: str = ""
    mentions: list[str] = field(default_factory=list)
    media: str = ""  # id of a MediaFile
    filename: str = ""
    data: dict[str, Any] = field(default_factory=dict)  # fields of a card, link, mini-program or location
    recalled: bool = False
    audience: frozenset[str] = frozenset()

    @property
    def in_room(self) -> bool:
        """Whether it was sent to a group."""
        return self.to.endswith(ROOM_SUFFIX)

    def chat_for(self, person_id: str) -> str:
        """Return the chat in which this person sees it: the group, or the other person."""
        if self.in_room:
            return self.to
        return self.sender if self.to == person_id else self.to


@dataclass(slots=True)
class MediaFile:
    """The data and name of a file."""

    id: str
    name: str
    data: bytes


@dataclass(slots=True)
class WorldState:
    """The persistent state of the world."""

    people: dict[str, Person] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    rooms: dict[str, WorldRoom] = field(default_factory=dict)
    friendships: dict[str, Friendship] = field(default_factory=dict)
    invitations: dict[str, Invitation] = field(default_factory=dict)
    confirmations: dict[str, Confirmation] = field(default_factory=dict)
    qr_codes: dict[str, QrCode] = field(default_factory=dict)
    messages: dict[int, ChatMessage] = field(default_factory=dict)
    media: dict[str, MediaFile] = field(default_factory=dict)
    last_id: int = 0
