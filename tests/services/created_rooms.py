"""A WeChat in which the response to the creation of a room can be lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from errors import (
    BotError,
    WeChatUnknown,
)
from models.groups import Qun, QunRoom
from tests.services.parts import ACCOUNT, OpenParts, Parts
from tests.services.room_wechat import RoomWeChat

TOPIC = "宋公明的群100001"


class MakingWeChat(RoomWeChat):
    """`lost`: the response to a creation is lost; `made`: whether the room was created nevertheless."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = False
        self.made = True
        self.asked: list[tuple[tuple[str, ...], str]] = []
        self.codes: list[tuple[str, str, bool]] = []

    async def create_room(self, contact_ids: Sequence[str], topic: str) -> str:
        self.asked.append((tuple(contact_ids), topic))
        if not self.lost:
            return await super().create_room(contact_ids, topic)
        if self.made:
            await super().create_room(contact_ids, topic)
        raise WeChatUnknown("RoomCreate", "no answer")

    async def create_join_code(self, room_id: str, state: str, *, opens_next: bool) -> None:
        self.codes.append((room_id, state, opens_next))
        await self._call("create_join_code")


async def opened(open_parts: OpenParts, **groups: Any) -> tuple[Parts, MakingWeChat]:
    wechat = MakingWeChat()
    return await open_parts(wechat, groups=groups), wechat


async def create(parts: Parts, code: str = "1") -> Qun:
    return (await parts.container.group_lifecycle.create(code, "宋公明", ACCOUNT, "person:x"))[0]


def row_of(parts: Parts) -> QunRoom:
    qun = parts.container.groups.by_number(100001)
    assert qun is not None
    return parts.container.groups.all_rooms(qun)[0]


async def refused(parts: Parts, error: type[BotError]) -> BotError:
    with pytest.raises(error) as caught:
        await create(parts)
    return caught.value
