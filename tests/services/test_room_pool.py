"""Groups prepared in WeChat, taken instead of a creation."""

from __future__ import annotations

from typing import Any

import pytest

from errors import (
    GroupNotMade,
    WeChatUnknown,
)
from models.durable import Outcome
from tests.services.created_rooms import TOPIC, MakingWeChat, create, refused, row_of
from tests.services.parts import SONG, STAFF, XUAN, ZHI, OpenParts, Parts
from tests.services.room_wechat import actions
from wechat.entities import Room
from wechat.interface import PUPPET, Capability


async def pool(open_parts: OpenParts, *rooms: Room, **groups: Any) -> tuple[Parts, MakingWeChat]:
    wechat = MakingWeChat()
    wechat.capabilities = PUPPET | {Capability.JOIN_BY_CODE}
    parts = await open_parts(wechat, groups=groups)

    def read() -> None:
        for room in rooms:
            wechat.directory.put_room(room)

    wechat.during["read_new_rooms"] = read
    return parts, wechat


@pytest.mark.parametrize("overflow", [True, False])
async def test_smallest_unused_group_of_the_owner_is_taken(open_parts: OpenParts, overflow: bool) -> None:
    parts, wechat = await pool(
        open_parts,
        Room("a", "甲", SONG, (), {SONG, ZHI, XUAN}),
        Room("c", "丙", SONG, (), {SONG, ZHI}),
        Room("b", "乙", SONG, (), {SONG, ZHI}),
        Room("d", "丁", SONG, (), {SONG}, "100009"),
        Room("e", "戊", STAFF, (), {STAFF}),
        overflow=overflow,
        companions=["无名"],
    )
    qun = await create(parts)
    assert (parts.room_id(qun), qun.topic, row_of(parts).topic, qun.companion_id) == ("b", "乙", "乙", "")
    assert wechat.codes == [("b", "100001", overflow)]
    assert wechat.asked == []
    (entry,) = await actions(parts, "group")
    assert (entry.who, entry.target, entry.detail, entry.outcome, entry.seen) == (
        "person:x", "100001", {"topic": "乙"}, Outcome.DONE, "b",
    )  # fmt: skip
    second = await create(parts, "2")
    assert parts.room_id(second) == "c", "the first is in use"


async def test_nameless_group_keeps_the_configured_topic(open_parts: OpenParts) -> None:
    parts, _ = await pool(open_parts, Room("a", "", SONG, (), {SONG}))
    qun = await create(parts)
    assert (qun.topic, row_of(parts).topic) == (TOPIC, TOPIC)


async def test_empty_pool_is_an_error(open_parts: OpenParts) -> None:
    parts, _ = await pool(open_parts, Room("e", "戊", STAFF, (), {STAFF}))
    assert SONG in (await refused(parts, GroupNotMade)).detail


async def test_taken_group_is_kept_when_its_code_cannot_be_created(open_parts: OpenParts) -> None:
    parts, wechat = await pool(open_parts, Room("a", "甲", SONG, (), {SONG}), Room("b", "乙", SONG, (), {SONG}))
    wechat.fails["create_join_code"] = WeChatUnknown("Code", "no answer")
    await refused(parts, GroupNotMade)
    reads = wechat.calls.count("read_new_rooms")
    wechat.fails.clear()
    assert parts.room_id(await create(parts)) == "a"
    assert wechat.calls.count("read_new_rooms") == reads
    assert len(await actions(parts, "group")) == 1
