"""An in-memory account whose rooms have announcements and can be read without success."""

from __future__ import annotations

from collections.abc import Callable

from sqlmodel import select

from models.durable import Action
from tests.doubles import InMemoryWeChat
from tests.services.parts import ACCOUNT, OpenParts, Parts
from wechat.entities import Room


class RoomWeChat(InMemoryWeChat):
    """`announced`: the announcement WeChat shows; `confirms`: whether a new one can be read back; `during`: run within
    the call of this name.
    """

    def __init__(self) -> None:
        super().__init__(ACCOUNT)
        self.announced = ""
        self.confirms = True
        self.listed = False
        self.during: dict[str, Callable[[], object]] = {}
        self.fresh: list[bool] = []  # of each reading of a room
        self.arguments: list[tuple[str, str, str]] = []

    async def _call(self, name: str) -> None:
        if name in self.during:
            self.during[name]()
        await super()._call(name)

    async def room(self, room_id: str, *, fresh: bool = False) -> Room:
        self.fresh.append(fresh)
        return await super().room(room_id, fresh=fresh)

    async def announcement(self, room_id: str) -> str:
        await self._call("announcement")
        return self.announced

    async def set_announcement(self, room_id: str, text: str) -> bool:  # type: ignore[override]
        self.arguments.append(("announce", room_id, text))
        await self._call("set_announcement")
        return self.confirms

    async def set_topic(self, room_id: str, topic: str) -> None:
        self.arguments.append(("topic", room_id, topic))
        await super().set_topic(room_id, topic)

    async def is_in_room(self, room_id: str) -> bool:
        return self.listed


async def open_rooms(open_parts: OpenParts, **config: object) -> tuple[Parts, RoomWeChat]:
    """The services with such an account."""
    wechat = RoomWeChat()
    return await open_parts(wechat, **config), wechat


async def actions(parts: Parts, *kinds: str) -> list[Action]:
    """The entries of these kinds in the audit log, in order."""
    entries = await parts.read(lambda s: s.exec(select(Action)).all())
    return sorted((entry for entry in entries if entry.kind in kinds), key=lambda entry: entry.id or 0)
