"""How a group presents itself: its name, announcement and welcome, changed in WeChat first and then kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from sqlmodel import Session

from errors import WeChatError
from models.db import Store
from models.groups import Qun, QunRoom
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.groups.groups import Groups

MAX_TOPIC: Final = 30  # characters, as WeChat takes them
MAX_ANNOUNCEMENT: Final = 2000
MAX_WELCOME: Final = 500

Keep = Callable[[Session], None]  # keeps in the database what WeChat has taken; run in a transaction


class NotInGroup(WeChatError):
    """The assistant is in no room of the group."""

    def __init__(self, call: str) -> None:
        super().__init__(call, "the assistant is not in the group")


def room_topic(name: str, room: QunRoom) -> str:
    """What a room of the group is called: the first as the group, the next with its number."""
    return name if room.ordinal == 1 else f"{name}·{room.ordinal}"


class GroupPresentation:
    """Changes what everybody sees of a group; each change is read back. WeChatError as it comes, NotInGroup."""

    def __init__(self, store: Store, accounts: Accounts, groups: Groups, audit: Audit) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._audit = audit

    async def set_topic(self, qun: Qun, name: str, who: str) -> Keep:
        """Rename every room of the group; the further ones are counted up."""
        wanted = {room.room_id or "": room_topic(name, room) for room in self._groups.rooms(qun)}
        actions = await self._change(qun, "topic", who, self._accounts.get(qun.account).set_topic, wanted)

        def keep(session: Session) -> None:
            self._end(session, actions)
            self._groups.patch(session, qun.number, topic=name)
            for room in self._groups.rooms(
                qun
            ):  # not the half-made: they are looked for by the name they were asked for
                self._groups.patch_room(session, room, topic=room_topic(name, room))

        return keep

    async def announce(self, qun: Qun, words: str, who: str) -> Keep:
        """Publish an announcement in every room of the group; it is held true from then on."""
        wanted = {room.room_id or "": words for room in self._groups.rooms(qun)}
        actions = await self._change(qun, "announce", who, self._accounts.get(qun.account).set_announcement, wanted)

        def keep(session: Session) -> None:
            self._end(session, actions)
            self._groups.patch(session, qun.number, announcement=words)

        return keep

    def welcome(self, qun: Qun, words: str | None, who: str) -> Keep:
        """Greet newcomers in other words; "" = not at all, None = as the config says."""

        def keep(session: Session) -> None:
            self._groups.patch(session, qun.number, welcome=words)
            self._audit.note(session, qun.account, "welcome", who, "", "done", number=str(qun.number))

        return keep

    async def _change(
        self, qun: Qun, kind: str, who: str, change: Callable[[str, str], Awaitable[None]], wanted: Mapping[str, str]
    ) -> list[int]:
        """Change every room (`wanted`: by room id). The log's lines are open until the change is kept, in one
        transaction with it: until then the drift check leaves alone what is being changed."""
        if not wanted:
            raise NotInGroup(kind)
        actions: list[int] = []
        for room_id, words in wanted.items():
            action = await self._audit.tried(qun.account, kind, who, room_id, number=str(qun.number))
            try:
                await change(room_id, words)
            except WeChatError as error:
                self._accounts.heed(qun.account, error)
                await self._audit.ended(action, "failed", str(error))
                await self._store.write(lambda s: self._end(s, actions))
                raise
            actions.append(action)
        return actions

    def _end(self, session: Session, actions: Sequence[int]) -> None:
        for action in actions:
            self._audit.end(session, action, "done")
