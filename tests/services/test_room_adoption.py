"""Adoption of a room whose creation got no response."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from errors import (
    GroupNotMade,
    WeChatUnknown,
)
from models.durable import Outcome
from tests.doubles import SELF
from tests.services.created_rooms import TOPIC, create, opened, refused, row_of
from tests.services.parts import SONG, XUAN, ZHI, OpenParts, Parts
from tests.services.room_wechat import actions
from wechat.entities import Room


@pytest.mark.parametrize("made", [True, False])
async def test_lost_response_is_settled_by_looking_for_the_room(open_parts: OpenParts, made: bool) -> None:
    parts, wechat = await opened(open_parts)
    wechat.lost, wechat.made = True, made
    if made:
        qun = await create(parts)
        assert parts.room_id(qun) == "room-1@chatroom"
    else:
        assert "no answer" in (await refused(parts, GroupNotMade)).detail
    (entry,) = await actions(parts, "group")
    expected = (Outcome.DONE, "room-1@chatroom") if made else (Outcome.UNKNOWN, "RoomCreate: no answer")
    assert (entry.outcome, entry.seen) == expected


def place(parts: Parts, room_id: str, topic: str = TOPIC, owner: str = SELF, *members: str) -> None:
    people = set(members) or {SELF, SONG, ZHI}
    parts.wechat.directory.put_room(Room(room_id, topic, owner, (), people))


@pytest.mark.parametrize(
    "shown",
    [(TOPIC, SELF), ("", SELF), (TOPIC, ""), (f"{TOPIC} ", SELF), (TOPIC, SELF, SONG, ZHI)],
)
async def test_room_that_appears_late_is_adopted(open_parts: OpenParts, shown: tuple[str, ...]) -> None:
    parts, wechat = await opened(open_parts)
    wechat.lost, wechat.made = True, False
    await refused(parts, GroupNotMade)
    place(parts, "late@chatroom", *shown)
    qun = await create(parts)
    assert parts.room_id(qun) == "late@chatroom"
    assert len(wechat.asked) == 1


@pytest.mark.parametrize(
    "shown",
    [
        ("别的群", SELF),
        (TOPIC, SONG),
        (TOPIC, XUAN),
        (TOPIC, SELF, SELF, SONG, ZHI, XUAN),
        (TOPIC, SELF, SELF, SONG),
        (TOPIC, SELF, SELF, SONG, XUAN),
    ],
)
async def test_other_room_is_not_adopted(open_parts: OpenParts, shown: tuple[str, ...]) -> None:
    parts, wechat = await opened(open_parts)
    wechat.lost, wechat.made = True, False
    await refused(parts, GroupNotMade)
    place(parts, "other@chatroom", *shown)
    wechat.lost = False
    qun = await create(parts)
    assert parts.room_id(qun) != "other@chatroom"
    assert len(wechat.asked) == 2


async def test_room_from_before_the_call_is_not_adopted(open_parts: OpenParts) -> None:
    """Anybody can create a room with the expected topic beforehand; it may be read only now."""
    parts, wechat = await opened(open_parts)
    wechat.during["read_new_rooms"] = lambda: place(parts, "decoy@chatroom")
    wechat.lost, wechat.made = True, False
    await refused(parts, GroupNotMade)
    assert row_of(parts).seen_before == ["decoy@chatroom"]
    place(parts, "late@chatroom")
    qun = await create(parts)
    assert parts.room_id(qun) == "late@chatroom"


async def test_room_read_between_two_calls_is_not_from_before_the_first(open_parts: OpenParts) -> None:
    parts, wechat = await opened(open_parts)
    wechat.lost, wechat.made = True, False
    await refused(parts, GroupNotMade)
    reads = wechat.calls.count("read_new_rooms")
    wechat.during["create_room"] = lambda: None

    async def create_room(contact_ids: Sequence[str], topic: str) -> str:
        place(parts, "late@chatroom")
        raise WeChatUnknown("RoomCreate", "no answer")

    wechat.create_room = create_room  # type: ignore[method-assign]
    qun = await create(parts)
    assert parts.room_id(qun) == "late@chatroom"
    assert wechat.calls.count("read_new_rooms") == reads + 2, "what was there before the first call is known"


async def test_room_of_another_group_is_not_adopted(open_parts: OpenParts) -> None:
    parts, wechat = await opened(open_parts, topic="同名")
    first = await create(parts)
    wechat.lost, wechat.made = True, False
    with pytest.raises(GroupNotMade):
        await create(parts, "2")
    wechat.lost = False
    second = await create(parts, "2")
    assert parts.room_id(second) != parts.room_id(first)


async def test_room_with_the_topic_is_preferred(open_parts: OpenParts) -> None:
    parts, wechat = await opened(open_parts)
    wechat.lost, wechat.made = True, False
    await refused(parts, GroupNotMade)
    place(parts, "a@chatroom", "")
    place(parts, "b@chatroom", TOPIC)
    assert parts.room_id(await create(parts)) == "b@chatroom"
