"""A WeChat whose messages have contents, and groups that block them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from models.groups import MemberRecord, Qun
from tests.doubles import InMemoryWeChat
from tests.services.parts import ACCOUNT, XUAN, OpenParts, Parts
from wechat.entities import Link, Media
from wechat.events import GroupMessage, MessageKind

EVIL = "https://evil.com/x"


ALL: dict[str, bool] = {"links": True, "qr_codes": True, "cards": True, "mini_programs": True}


NONE: dict[str, bool] = dict.fromkeys(ALL, False)


class FetchingWeChat(InMemoryWeChat):
    """Whose messages have contents."""

    def __init__(self) -> None:
        super().__init__(ACCOUNT)
        self.name = "文件"
        self.shown = Link("标题", EVIL, "说明")
        self.words = ""

    async def image(self, message_id: str) -> Media:
        await self._call("image")
        return Media(self.name, b"image")

    async def media(self, message_id: str) -> Media:
        await self._call("media")
        return Media(self.name, b"media")

    async def link(self, message_id: str) -> Link:
        await self._call("link")
        return self.shown

    async def place(self, message_id: str) -> str:
        await self._call("place")
        return self.words

    async def program_title(self, message_id: str) -> str:
        await self._call("program_title")
        return self.words


async def opened(open_parts: OpenParts, *words: str, **groups: Any) -> tuple[Parts, Qun]:
    fields = {"blocked_words": list(words), "block": ALL, **groups}
    parts = await open_parts(FetchingWeChat(), groups=fields)
    qun = await parts.group()
    parts.members(qun).add(XUAN)
    return parts, qun


def message(
    parts: Parts, qun: Qun, text: str = "", kind: MessageKind = MessageKind.TEXT, **values: Any
) -> GroupMessage:
    given = {"contact_id": XUAN, "name": "黑旋风", "room_id": parts.room_id(qun), "arrived_at": parts.clock.now}
    at = datetime.fromtimestamp(parts.clock.now, UTC)
    return GroupMessage(account=ACCOUNT, id="m", at=at, text=text, kind=kind, **{**given, **values})


async def record(parts: Parts, qun: Qun, who: str = XUAN) -> MemberRecord:
    """The record of a member in a group."""
    row = await parts.read(lambda s: s.get(MemberRecord, (qun.number, who)))
    assert row is not None
    return row
