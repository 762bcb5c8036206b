"""Changes of a group's topic, announcement and welcome text: in WeChat first, then in the database."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from sqlmodel import Session

from config.settings import GroupSettings
from errors import InvalidParameter, WeChatError
from models.db import Store
from models.durable import Outcome
from models.groups import Qun, QunRoom
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.groups.groups import Groups
from wechat.interface import Capability
from wechat.names import same_name

MAX_TOPIC: Final = 30  # characters; WeChat's limits
MAX_ANNOUNCEMENT: Final = 2000
MAX_WELCOME: Final = 500
PLACEHOLDERS: Final = ("member", "topic")  # of a welcome text
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_]+)\}")

StoreChange = Callable[[Session], None]  # stores a change that WeChat has accepted, inside a transaction


class PresentationChange(NamedTuple):
    """A change accepted by WeChat. `confirmed` is False if it cannot be read back."""

    store: StoreChange
    confirmed: bool = True


class TopicReserved(InvalidParameter):
    """The topic is that of the staff room."""

    def __init__(self, topic: str) -> None:
        super().__init__("topic: the name of the staff room; allowed: any other name")
        self.topic = topic


class UnknownPlaceholder(InvalidParameter):
    """The welcome text has a {name} that nothing fills in."""

    def __init__(self, name: str) -> None:
        allowed = ", ".join(f"{{{placeholder}}}" for placeholder in PLACEHOLDERS)
        super().__init__(f"welcome: {{{name}}} is unknown; allowed: {allowed}")
        self.name = name


class NotInGroup(WeChatError):
    """The assistant is not in any room of the group."""

    def __init__(self, call: str) -> None:
        super().__init__(call, "the assistant is not in the group")


def room_topic(name: str, room: QunRoom) -> str:
    """Return the topic of a room: the group's name, with a number from the second room on."""
    return name if room.ordinal == 1 else f"{name}·{room.ordinal}"


class GroupPresentation:
    """Changes a group in WeChat and reads the change back. Raises WeChatError and NotInGroup."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        audit: Audit,
        is_reserved: Callable[[str], bool],
        settings: GroupSettings,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._audit = audit
        self._is_reserved = is_reserved
        self._settings = settings

    async def set_topic(self, qun: Qun, name: str, actor: str) -> PresentationChange:
        """Rename every room of the group. Raises TopicReserved."""
        self._accounts.require(qun.account, Capability.SET_TOPIC)
        if self._is_reserved(name):
            raise TopicReserved(name)
        by_room = {room.room_id or "": room_topic(name, room) for room in self._groups.rooms(qun)}
        change = self._accounts.get(qun.account).set_topic
        actions, _ = await self._change(qun, "topic", actor, change, by_room, before=qun.topic, after=name)

        def store(session: Session) -> None:
            self._end(session, actions)
            self._groups.patch(session, qun.number, topic=name)
            for room in self._groups.rooms(qun):  # not unfinished rooms, which are found by the topic used at creation
                self._groups.patch_room(session, room, topic=room_topic(name, room))

        return PresentationChange(store)

    def accept_topic(self, session: Session, qun: Qun, room_id: str, topic: str, by: str) -> bool:
        """Accept a new name given to a room in WeChat, inside a transaction; return whether it was accepted.

        Only names by the group's owner or an admin are, and none with `groups.topic_lock`; the drift check restores
        others.
        """
        room = next((candidate for candidate in self._groups.rooms(qun) if candidate.room_id == room_id), None)
        is_allowed = by in self._groups.owners(qun) or self._accounts.is_admin(qun.account, by)
        if room is None or not is_allowed or self._settings.topic_lock or not topic or self._is_reserved(topic):
            return False
        if same_name(topic, room.topic):
            return True
        detail = {"number": str(qun.number), "before": room.topic, "after": topic}
        self._audit.record(session, qun.account, "topic", f"person:{by}", room_id, Outcome.DONE, **detail)
        if room.ordinal > 1:
            self._groups.patch_room(session, room, topic=topic)
            return True
        self._groups.patch(session, qun.number, topic=topic)
        for open_room in self._groups.rooms(qun):
            self._groups.patch_room(session, open_room, topic=room_topic(topic, open_room))
        return True

    async def announce(self, qun: Qun, text: str, actor: str) -> PresentationChange:
        """Publish an announcement in every room of the group; the drift check maintains it from then on."""
        self._accounts.require(qun.account, Capability.SET_ANNOUNCEMENT)
        by_room = {room.room_id or "": text for room in self._groups.rooms(qun)}
        change, before = self._accounts.get(qun.account).set_announcement, qun.announcement or ""
        actions, confirmed = await self._change(qun, "announce", actor, change, by_room, before=before, after=text)

        def store(session: Session) -> None:
            self._end(session, actions)
            self._groups.patch(session, qun.number, announcement=text)

        return PresentationChange(store, confirmed)

    def welcome(self, qun: Qun, text: str | None, actor: str) -> StoreChange:
        """Set the welcome text; "" = none, None = that of the config. Raises UnknownPlaceholder and NotSupported."""
        self._accounts.require(qun.account, Capability.ROOM_MESSAGES)
        unknown = next((name for name in _PLACEHOLDER.findall(text or "") if name not in PLACEHOLDERS), None)
        if unknown is not None:
            raise UnknownPlaceholder(unknown)

        def store(session: Session) -> None:
            detail = {"number": str(qun.number), "before": qun.welcome or "", "after": text or ""}
            self._audit.record(session, qun.account, "welcome", actor, "", Outcome.DONE, **detail)
            self._groups.patch(session, qun.number, welcome=text)

        return store

    async def _change(
        self,
        qun: Qun,
        kind: str,
        actor: str,
        change: Callable[[str, str], Awaitable[object]],
        by_room: Mapping[str, str],
        **detail: str,
    ) -> tuple[dict[int, str], bool]:
        """Change all rooms; return the audit entries with their outcomes, and whether all are confirmed.

        `by_room`: the new values by room id. The audit entries stay open until the transaction that stores the change;
        meanwhile the drift check ignores what is being changed.
        """
        if not by_room:
            raise NotInGroup(kind)
        actions: dict[int, str] = {}
        for room_id, text in by_room.items():
            action = await self._audit.begin(qun.account, kind, actor, room_id, number=str(qun.number), **detail)
            try:
                confirmed = await change(room_id, text) is not False
            except WeChatError as error:
                self._accounts.handle_rate_limit(qun.account, error)
                await self._audit.end(action, Outcome.FAILED, str(error))
                await self._store.write(lambda s: self._end(s, actions))
                raise
            actions[action] = Outcome.DONE if confirmed else Outcome.UNCONFIRMED
        return actions, Outcome.UNCONFIRMED not in actions.values()

    def _end(self, session: Session, actions: Mapping[int, str]) -> None:
        for action, outcome in actions.items():
            self._audit.record_end(session, action, outcome)
