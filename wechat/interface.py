"""What the rest of the house may ask of one WeChat account. `wechat.assistant.Assistant` does it.

Every call may raise errors.WeChatOffline (nothing was sent), WeChatUnknown (the answer was lost, it may have
happened), WeChatRefused and its kinds. Calls that change something read back and raise WeChatNotDone when WeChat
shows otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from wechat.events import Contact, Event, Link, Media, MiniProgram, RawEvent, Room
from wechat.problems import Reason


class State(StrEnum):
    """Where the account's connection stands."""

    CONNECTING = "connecting"  # no gateway, or not answering
    REFUSED = "refused"  # the gateway does not take our token
    LOGGED_OUT = "logged_out"  # the gateway is there, the account is not logged in
    SYNCING = "syncing"  # logged in; contacts and groups are being read
    ONLINE = "online"


class ScanState(StrEnum):
    """How far a login by QR code has come."""

    NONE = "none"
    WAITING = "waiting"
    SCANNED = "scanned"  # to be confirmed on the phone
    EXPIRED = "expired"  # the gateway shows another one soon


class Capability(StrEnum):
    """What not every channel can do. Services ask for it before they promise or try it."""

    CREATE_ROOM = "create_room"
    ADD_MEMBER = "add_member"
    REMOVE_MEMBER = "remove_member"
    SET_TOPIC = "set_topic"
    SET_ANNOUNCEMENT = "set_announcement"
    ROOM_MESSAGES = "room_messages"  # hears what is said in groups, and speaks there
    ACCEPT_FRIEND = "accept_friend"
    SET_ALIAS = "set_alias"
    WRITE_FIRST = "write_first"  # may write to people who have not spoken lately
    CONTACT_CARD = "contact_card"
    LINK = "link"
    MINI_PROGRAM = "mini_program"
    MEDIA = "media"
    MENU = "menu"  # sends choices that can be tapped
    SEND_ONCE = "send_once"  # recognises a message that is sent again after a crash
    CATCH_UP = "catch_up"  # tells what was said while the bot was away


PUPPET: Final = frozenset(Capability) - {Capability.MENU, Capability.SEND_ONCE, Capability.CATCH_UP}


class Directory(Protocol):
    """Who is who on one account; kept in memory, filled once, kept true by events."""

    owner_id: str
    contacts: dict[str, Contact]
    rooms: dict[str, Room]
    version: int  # another number whenever something changed

    def snapshot(self) -> dict[str, Any]:
        """All of it as plain JSON values, for `load`."""

    def load(self, rows: dict[str, Any]) -> None:
        """Begin with what an earlier snapshot knew."""

    def find(
        self, name: str, *, among: Collection[str] | None = None, friends: bool = False, also: Collection[str] = ()
    ) -> list[Contact]:
        """People called `name`: WeChat id, then 微信号, then alias, then nickname, each exact; the first tier with
        a match decides. `among`: only these ids; `friends`: only friends; `also`: these ids whatever they are."""

    def room_by_topic(self, topic: str) -> list[Room]:
        """The groups with exactly this topic."""

    def befriend(self, id: str) -> None:
        """The person is a friend, whatever WeChat's payload says."""

    def unfriend(self, id: str) -> None:
        """The person is no friend any more."""

    def expect(self, room_id: str, ids: Collection[str]) -> None:
        """These people are members as far as the database knows: who is missing on one reading stays a member until
        another one agrees."""

    def left(self, room_id: str, ids: Iterable[str], at: datetime) -> bool:
        """It is certain that these people are not in a group."""

    def was_read(self, room_id: str) -> bool:
        """Whether a group's members were read since the start, not only remembered from before it."""

    def last_told(self, room_id: str, contact_id: str) -> tuple[datetime | None, datetime | None]:
        """When the group's members were last read, and when the person's last join or leave since then was told."""


class WeChat(Protocol):
    """One WeChat account."""

    account: str
    directory: Directory
    capabilities: frozenset[Capability]
    qr_code: str  # what is to be scanned to log the account in; "" = nothing
    scan_state: ScanState

    @property
    def state(self) -> State:
        """Where the connection stands now."""

    @property
    def reason(self) -> Reason | None:
        """Why it is not online; None when it is, or when nothing has failed yet."""

    @property
    def self_id(self) -> str:
        """The account's own WeChat id; empty before the first login."""

    def begin(self, epoch: int, position: str) -> None:
        """Before the start: this process's epoch, and how far the database has the events of a relay ("" unknown)."""

    def acknowledge(self, position: str) -> None:
        """Everything up to this position (RawEvent.position) is in the database."""

    async def resolve(self, raw: RawEvent, placed: Callable[[str], None] = ...) -> Event | None:
        """Read the payloads a raw event stands for. None: nothing of ours (unknown kind, own echo). `placed` is told
        the conversation as soon as it is known: the rest may take long."""

    # what is sent; each returns WeChat's message id, or "" where the gateway tells none. `key` is ours: a channel that
    # can (SEND_ONCE) sends what has the same key once. `choices` are lines of the text to be tapped (MENU).
    async def send_text(
        self, to: str, text: str, mentions: Sequence[str] = (), *, choices: Sequence[str] = (), key: str = ""
    ) -> str: ...
    async def send_media(self, to: str, media: Media, *, key: str = "") -> str: ...
    async def send_link(self, to: str, link: Link, *, key: str = "") -> str: ...
    async def send_contact(self, to: str, contact_id: str, *, key: str = "") -> str: ...
    async def send_mini_program(self, to: str, program: MiniProgram, *, key: str = "") -> str: ...

    # people
    async def accept_friend(self, friendship_id: str) -> None: ...
    async def set_alias(self, contact_id: str, alias: str) -> None: ...
    async def contact(self, contact_id: str, *, fresh: bool = False) -> Contact: ...
    async def look_for(self, name: str) -> None:
        """Read anew whoever may be a friend called so that nobody told of; the directory then knows them."""

    async def self_qr_code(self) -> str: ...

    # groups
    async def create_room(self, contact_ids: Sequence[str], topic: str) -> str: ...
    async def room(self, room_id: str, *, fresh: bool = False) -> Room:
        """A group; `fresh`: what WeChat shows now. The directory keeps who is missing until another reading agrees."""

    async def read_new_rooms(self) -> list[Room]:
        """Ask for the list of groups and read the ones not known yet; returns these."""

    async def names_in(self, room_id: str) -> dict[str, set[str]]:
        """Who is called what in a group, read now: the name each member has there, and their own."""

    async def is_in_room(self, room_id: str) -> bool:
        """Whether the account is in a group: its list, read now, has it, or it is not certain yet that the list is
        right. A group that it is not in is forgotten."""

    async def add_member(self, room_id: str, contact_id: str) -> None: ...
    async def wait_member(self, room_id: str, contact_id: str, timeout: float) -> bool:
        """Whether WeChat shows the person in the room within `timeout` seconds (a join event, or the fresh list)."""

    async def remove_member(self, room_id: str, contact_id: str) -> None: ...
    async def leave_room(self, room_id: str) -> None: ...
    async def set_topic(self, room_id: str, topic: str) -> None: ...
    async def announcement(self, room_id: str) -> str: ...
    async def set_announcement(self, room_id: str, text: str) -> bool:
        """False: it was accepted, and WeChat shows none to compare it with."""

    async def accept_invitation(self, invitation_id: str) -> None: ...

    # what came in with a message
    async def media(self, message_id: str) -> Media: ...
    async def image(self, message_id: str) -> Media: ...
    async def link(self, message_id: str) -> Link: ...
    async def card(self, message_id: str) -> str: ...
    async def program_title(self, message_id: str) -> str: ...
    async def place(self, message_id: str) -> str: ...


class Listener(Protocol):
    """Who is told of what an account meets."""

    async def taken(self, raw: RawEvent) -> None:
        """An event arrived. Awaited before the next one is read: store it, then return."""

    async def state_changed(self, account: str, state: State, reason: str) -> None:
        """The connection went to another state."""

    async def scanned(self, account: str, qr_code: str) -> None:
        """The gateway shows a new code that is to be scanned to log the account in."""

    async def synced(self, account: str, since: datetime | None, changed: Iterable[str]) -> None:
        """Contacts and groups were read again (at start, after a reconnect): `changed` are the ids of rooms whose
        members differ from what was known, and of contacts that are new friends. A room the directory no longer has
        is one the account is no longer in. Told when the account is online, again when the slow reading of what was
        known before is through, and whenever something is found that could not be read before. Told again when it
        raises."""
