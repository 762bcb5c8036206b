"""An account whose gateway's answers are scripted, for tests of what the account makes of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message

from protocol import CALLS
from protocol import puppet_pb2 as pb
from tests.wechat.recording_listener import QUICK, RecordingListener, settings
from wechat.assistant import Assistant
from wechat.entities import Contact, Room
from wechat.events import Event, RawEvent
from wechat.interface import State
from wechat.wire import CALL_SECONDS

ME, SONG, ROOM = "wxid_me", "wxid_song", "1@chatroom"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AT_ONCE = replace(QUICK, login_grace=0.0, read_back=0.06, look=5.0, reread_pause=0.0, confirm_interval=3600.0)


class ScriptedWire:
    """Answers each call from `answers`: a message, an exception, a function of the request, or a list of these, one
    for each call. Without an entry the answer is empty.
    """

    channel = None

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, Any]] = []
        self.timeouts: list[float] = []
        self.uploads: list[bytes] = []

    async def call(self, name: str, request: Message, timeout: float = CALL_SECONDS) -> Any:
        self.asked.append((name, request))
        self.timeouts.append(timeout)
        answer: Any = self.answers.get(name)
        if isinstance(answer, list):
            answer = answer.pop(0)
        if callable(answer) and not isinstance(answer, Message):
            answer = answer(request)
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, BaseException):
            raise answer
        return CALLS[name].response() if answer is None else answer

    async def upload(self, data: bytes) -> str:
        self.uploads.append(data)
        return f"upload-{len(self.uploads)}"

    @property
    def names(self) -> list[str]:
        """The names of the calls so far."""
        return [name for name, _ in self.asked]


class ScriptedAccount:
    """An account that is logged in at a scripted gateway. It is not started: no connection, no tasks."""

    def __init__(self) -> None:
        self.wire = ScriptedWire()
        self.answers = self.wire.answers
        self.listener = RecordingListener()
        self.assistant = Assistant(settings("127.0.0.1:1", "t", "a"), self.listener, AT_ONCE)
        self.puppet = self.assistant._puppet_client
        self.directory = self.assistant.directory
        self.events = self.assistant._gateway_events
        self.updates = self.assistant.directory_updates
        self.events.opened(self.wire)  # type: ignore[arg-type]
        self.puppet.login_user_id = self.directory.owner_id = ME
        self.directory.unread = set()
        self.directory.put_contact(Contact(ME, "小秘"))

    def knows(self, *people: Contact) -> None:
        """Add contacts to the directory."""
        for contact in people:
            self.directory.put_contact(contact)

    def joins(self, *ids: str, room_id: str = ROOM, topic: str = "群") -> None:
        """Add a group of the account and these people to the directory."""
        self.directory.put_room(Room(room_id, topic, SONG, (), {ME, *ids}))

    def state(self, state: State) -> None:
        """Set the account's state without telling the listener."""
        self.assistant._state = state

    async def resolve(self, kind: str, **data: Any) -> Event | None:
        """Resolve an event that has arrived just now."""
        return await self.assistant.resolve(RawEvent("a", "e1", kind, data, NOW))

    async def message(self, **fields: Any) -> Any:
        """Resolve a message with this payload."""
        self.answers["MessagePayload"] = message(**fields)
        return await self.resolve("message", messageId="m1")


def message(**fields: Any) -> pb.MessagePayloadResponse:
    """A text from a friend."""
    return pb.MessagePayloadResponse(**{"id": "m1", "type": 7, "talker_id": SONG, "text": "你好", **fields})


def contacts(*people: Contact) -> Callable[[Any], Any]:
    """Answer ContactPayload with these people, and anybody else without a name."""
    known = {contact.id: contact for contact in people}

    def answer(request: Any) -> pb.ContactPayloadResponse:
        stored = known.get(request.id, Contact(request.id))
        return pb.ContactPayloadResponse(
            id=stored.id, name=stored.name, alias=stored.alias, weixin=stored.weixin, friend=stored.friend
        )

    return answer


def room(*ids: str, topic: str = "群", room_id: str = ROOM) -> pb.RoomPayloadResponse:
    """The payload of a group with these members."""
    return pb.RoomPayloadResponse(id=room_id, topic=topic, owner_id=SONG, member_ids=ids)


def lists(account: ScriptedAccount, people: list[str], rooms: list[str] | None = None) -> None:
    """Answer ContactList and RoomList with these ids."""
    account.answers["ContactList"] = CALLS["ContactList"].response(ids=people)
    account.answers["RoomList"] = CALLS["RoomList"].response(ids=rooms or [])
