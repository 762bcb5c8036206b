"""What the sandbox's world is made of: people, groups, messages, and what is still open between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

ROOM_SUFFIX: Final = "@chatroom"


class Refused(Exception):
    """WeChat says no. `code` is WeChat's own number where it is known (-2028: the owner must confirm)."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(f"{text}({code})" if code else text)
        self.code = code


class NotThere(Refused):
    """Nothing has this id, or it cannot be seen from here."""


class Kind(StrEnum):
    """What a message is made of; the last three are seen by people only."""

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
    NOTE = "note"  # the grey lines of a chat
    INVITATION = "invitation"
    CONFIRMATION = "confirmation"  # tells the owner that somebody waits


MEDIA_KINDS: Final = frozenset({Kind.IMAGE, Kind.FILE, Kind.AUDIO, Kind.VIDEO, Kind.EMOTICON})
PEOPLE_ONLY: Final = frozenset({Kind.NOTE, Kind.INVITATION, Kind.CONFIRMATION})


@dataclass(slots=True)
class Person:
    """Somebody with a WeChat account; an assistant is one too. `friends` is their own contact list."""

    id: str
    name: str
    weixin: str  # 微信号
    uin: int  # a number of their own, part of the message ids they see
    official: bool = False  # an official account (公众号)
    signature: str = ""
    phone: str = ""
    friends: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)  # 备注, by person id
    tags: dict[str, list[str]] = field(default_factory=dict)  # person ids by tag
    read: dict[str, int] = field(default_factory=dict)  # last message seen, by chat


@dataclass(slots=True)
class Account:
    """An assistant: a person whom a bot drives through the gateway."""

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
    type: int = 2  # 1 confirm, 2 receive, 3 verify, as the protocol numbers them


@dataclass(slots=True)
class Member:
    """Somebody's place in a group."""

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
    former: set[str] = field(default_factory=set)  # who has gone; their WeChat still shows them the group
    audience: frozenset[str] = frozenset()  # the members' ids; shared by all messages of one cast

    def manages(self, person_id: str) -> bool:
        """Whether this person is the owner or an admin."""
        return person_id == self.owner or person_id in self.admins


@dataclass(slots=True)
class Invitation:
    """A card that lets one person into a group once they tap it."""

    id: str
    room_id: str
    inviter: str
    invitee: str
    at: float
    approved: bool = False  # the owner has already agreed
    state: str = "open"  # open | used


@dataclass(slots=True)
class Confirmation:
    """Somebody waits for the owner's yes; `state` is open, approved or refused."""

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
    """Something said. `to` is a person's or a group's id; `audience` who can see it, the sender included."""

    seq: int
    kind: Kind
    sender: str
    to: str
    at: float
    text: str = ""
    mentions: list[str] = field(default_factory=list)
    media: str = ""  # id of the bytes
    filename: str = ""
    data: dict[str, Any] = field(default_factory=dict)  # a card's, link's, mini-program's, location's own fields
    recalled: bool = False
    audience: frozenset[str] = frozenset()

    @property
    def in_room(self) -> bool:
        """Whether it was said in a group."""
        return self.to.endswith(ROOM_SUFFIX)

    def chat_for(self, person_id: str) -> str:
        """The chat in which this person sees it: the group, or the other person."""
        if self.in_room:
            return self.to
        return self.sender if self.to == person_id else self.to


@dataclass(slots=True)
class MediaFile:
    """A file's bytes and the name it came under."""

    id: str
    name: str
    data: bytes


@dataclass(slots=True)
class WorldState:
    """Everything that is kept across a restart."""

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
