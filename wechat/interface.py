"""Interface of a WeChat account to the rest of wxbot. Implemented by wechat.assistant.Assistant and wecom.account.

Every call may raise errors.WeChatOffline (nothing was sent), WeChatUnknown (the response was lost; it may have
happened), WeChatRefused and its subclasses. Changes are read back; WeChatNotDone is raised if WeChat does not show
them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from wechat.entities import Contact, Link, Media, MiniProgram, Room
from wechat.events import Event, RawEvent
from wechat.problems import Reason


class State(StrEnum):
    """State of an account's connection."""

    CONNECTING = "connecting"  # no gateway, or no answer
    REFUSED = "refused"  # the gateway rejects the token
    LOGGED_OUT = "logged_out"  # the gateway is connected, the account is not logged in
    SYNCING = "syncing"  # logged in; contacts and groups are being read
    ONLINE = "online"


class ScanState(StrEnum):
    """Progress of a login by QR code."""

    NONE = "none"
    WAITING = "waiting"
    SCANNED = "scanned"  # must be confirmed on the phone
    EXPIRED = "expired"  # the gateway will send another one


class Capability(StrEnum):
    """Optional features of a channel. Services check them before queueing or trying an action."""

    CREATE_ROOM = "create_room"
    ADD_MEMBER = "add_member"
    REMOVE_MEMBER = "remove_member"
    SET_TOPIC = "set_topic"
    SET_ANNOUNCEMENT = "set_announcement"
    ROOM_MESSAGES = "room_messages"  # receives and sends messages in groups
    ACCEPT_FRIEND = "accept_friend"
    SET_ALIAS = "set_alias"
    JOIN_BY_CODE = "join_by_code"  # groups are created by staff; people join by a QR code and cannot be added
    GROUP_TASKS = "group_tasks"  # messages to a group are sent once a member of staff has confirmed them
    LOG_OUT = "log_out"  # the account can be logged out, and in again by scanning a code
    WRITE_FIRST = "write_first"  # may write to people who have not written recently
    CONTACT_CARD = "contact_card"
    LINK = "link"
    MINI_PROGRAM = "mini_program"
    MEDIA = "media"
    MENU = "menu"  # sends choices as buttons
    SEND_ONCE = "send_once"  # recognises a message that is sent again after a crash
    CATCH_UP = "catch_up"  # provides messages sent while the bot was away
    SESSIONS = "sessions"  # talks with customers are sessions, which staff may take over in their own client
    STAFF_CLIENT = "staff_client"  # customers who ask for a person are handed to staff in their own client


PUPPET: Final = frozenset(Capability) - {
    Capability.MENU,
    Capability.SEND_ONCE,
    Capability.CATCH_UP,
    Capability.JOIN_BY_CODE,
    Capability.GROUP_TASKS,
    Capability.SESSIONS,
    Capability.STAFF_CLIENT,
}


class Directory(Protocol):
    """The directory of an account: contacts and groups in memory, kept up to date by events."""

    owner_id: str
    contacts: dict[str, Contact]
    rooms: dict[str, Room]
    version: int  # changes with every modification

    def snapshot(self) -> dict[str, Any]:
        """Return the content as JSON values, for `load`."""

    def load(self, rows: dict[str, Any]) -> None:
        """Load a snapshot."""

    def find(
        self, name: str, *, among: Collection[str] | None = None, friends: bool = False, also: Collection[str] = ()
    ) -> list[Contact]:
        """Find contacts by name: WeChat id, 微信号, alias, nickname, each exact; the first tier with a match decides.

        `among`: restrict to these ids; `friends`: restrict to friends; `also`: ids that match regardless. A friend's
        微信号 that is another friend's alias or nickname matches both.
        """

    def room_by_topic(self, topic: str) -> list[Room]:
        """Return the groups with exactly this topic."""

    def befriend(self, id: str) -> None:
        """Mark a person as a friend, regardless of the payload."""

    def unfriend(self, id: str) -> None:
        """Mark a person as no longer a friend."""

    def expect_members(self, room_id: str, ids: Collection[str]) -> None:
        """Set the members known to the database.

        A member missing from one reading stays until another reading agrees.
        """

    def remove_members(self, room_id: str, ids: Iterable[str], at: datetime) -> bool:
        """Record that these people have certainly left a group."""

    def was_read(self, room_id: str) -> bool:
        """Whether a group's members were read since the start, not only loaded from the database."""

    def last_reported(self, room_id: str, contact_id: str) -> tuple[datetime | None, datetime | None]:
        """Return when the group's members were last read, and when the contact's last join or leave after that was."""


class WeChat(Protocol):
    """A WeChat account."""

    account: str
    directory: Directory
    capabilities: frozenset[Capability]
    qr_code: str  # content of the login QR code; "" = none
    scan_state: ScanState

    @property
    def state(self) -> State:
        """The state of the connection."""

    @property
    def reason(self) -> Reason | None:
        """Why the account is not online; None if it is, or if nothing has failed yet."""

    @property
    def self_id(self) -> str:
        """The account's own WeChat id; "" before the first login."""

    @property
    def gateway_time(self) -> float | None:
        """The time of the gateway's clock in Unix seconds, or None if unknown."""

    def begin(self, epoch: int, position: str) -> None:
        """Set the epoch of this process and the stored position in a relay's events ("" = unknown), before `start`."""

    def acknowledge(self, position: str) -> None:
        """Record that all events up to this position (RawEvent.position) are stored."""

    async def resolve(self, raw: RawEvent, on_conversation: Callable[[str], None] = ...) -> Event | None:
        """Read the payload of a raw event; None if it is ignored (unknown kind, own echo).

        `on_conversation` is called with the conversation as soon as it is known, as the other calls may take long.
        """

    # Sending. Each call returns WeChat's message id, or "" if the gateway provides none. A channel with SEND_ONCE
    # sends messages of the same `key` once. `choices` are lines of the text that become buttons with MENU.
    async def send_text(
        self, to: str, text: str, mentions: Sequence[str] = (), *, choices: Sequence[str] = (), key: str = ""
    ) -> str: ...
    async def send_media(self, to: str, media: Media, *, key: str = "") -> str: ...
    async def send_link(self, to: str, link: Link, *, key: str = "") -> str: ...
    async def send_contact(self, to: str, contact_id: str, *, key: str = "") -> str: ...
    async def send_mini_program(self, to: str, program: MiniProgram, *, key: str = "") -> str: ...

    async def messages_left(self, to: str, key: str) -> int | None:
        """Return how many messages may be sent before the person writes again, including that of this key; None = any
        number.
        """

    # Sessions
    async def hand_over(self, contact_id: str) -> None:
        """Put a customer into the queue of the staff who use the platform's own client (STAFF_CLIENT)."""

    async def end_session(self, contact_id: str) -> None:
        """End the customer's session (SESSIONS)."""

    # People
    async def accept_friend(self, friendship_id: str) -> None: ...
    async def set_alias(self, contact_id: str, alias: str) -> None: ...
    async def contact(self, contact_id: str, *, fresh: bool = False) -> Contact: ...
    async def search_contacts(self, name: str) -> None:
        """Read contacts that may be a friend of this name but are not known as one."""

    async def self_qr_code(self) -> str: ...
    async def log_out(self) -> None:
        """Log the account out at its gateway, which then shows a login QR code."""

    # Groups
    async def create_room(self, contact_ids: Sequence[str], topic: str) -> str: ...
    async def room(self, room_id: str, *, fresh: bool = False) -> Room:
        """Return a group; `fresh`: read it without any cache.

        The directory keeps missing members until another reading agrees.
        """

    async def read_new_rooms(self) -> list[Room]:
        """Read the list of groups and the unknown ones on it; return those."""

    async def names_in(self, room_id: str) -> dict[str, set[str]]:
        """Read the names shown in a group: members by their group alias and by their nickname."""

    async def is_in_room(self, room_id: str) -> bool:
        """Whether the account is in a group: its list, read now, has it, or it is not certain yet that the list is
        right. A group that it is not in is forgotten."""

    async def add_member(self, room_id: str, contact_id: str) -> None: ...
    async def wait_member(self, room_id: str, contact_id: str, timeout: float) -> bool:
        """Wait up to `timeout` seconds for a person to join; return whether they did."""

    async def create_join_code(self, room_id: str, state: str, *, opens_next: bool) -> None:
        """Create a QR code to join the group (JOIN_BY_CODE); members who join by it carry `state`.

        `opens_next`: a full group is followed by another one.
        """

    async def join_code_picture(self, room_id: str) -> bytes:
        """Return the QR code to join the group as a picture, or b""."""

    async def remove_member(self, room_id: str, contact_id: str) -> None: ...
    async def leave_room(self, room_id: str) -> None: ...
    async def set_topic(self, room_id: str, topic: str) -> None: ...
    async def announcement(self, room_id: str) -> str: ...
    async def set_announcement(self, room_id: str, text: str) -> bool:
        """Return False if it was accepted but none can be read back."""

    async def accept_invitation(self, invitation_id: str) -> None: ...

    # Content of received messages
    async def media(self, message_id: str) -> Media: ...
    async def file(self, message_id: str) -> Media:
        """Like `media`, for large files: these have `Media.file` instead of `Media.data`."""

    async def image(self, message_id: str) -> Media: ...
    async def link(self, message_id: str) -> Link: ...
    async def card(self, message_id: str) -> str: ...
    async def program_title(self, message_id: str) -> str: ...
    async def place(self, message_id: str) -> str: ...


class Listener(Protocol):
    """Receiver of an account's events."""

    async def store_event(self, raw: RawEvent) -> None:
        """Store an event. The next one is read after this returns."""

    async def state_changed(self, account: str, state: State, reason: str) -> None:
        """The state of the connection changed."""

    async def scanned(self, account: str, qr_code: str) -> None:
        """The gateway has a new login QR code."""

    async def synced(self, account: str, since: datetime | None, changed: Iterable[str]) -> None:
        """Contacts and groups were read again.

        `changed`: ids of rooms whose members differ from what was known (or that the directory no longer has, because
        the account left), and of new friends. Called when the account is online, again after the known entries were
        read in the background, and when entries are found that could not be read before. Repeated if it raises.
        """
