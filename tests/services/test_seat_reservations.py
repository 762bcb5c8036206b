"""Reservations of seats: concurrent joins do not exceed the capacity."""

from __future__ import annotations

from typing import Any

import pytest

from errors import GroupFull, InviteFailed
from models.groups import Qun, QunRoom
from tests.services.parts import SONG, XUAN, OpenParts, Parts
from wechat.entities import Room


async def opened(open_parts: OpenParts, **groups: Any) -> tuple[Parts, Qun]:
    """A group with three people: the assistant, the owner and the companion."""
    parts = await open_parts(groups=groups)
    return parts, await parts.group()


async def take(parts: Parts, qun: Qun, who: str, *full: str) -> Room:
    return await parts.container.memberships._seats.reserve(qun, who, "test", set(full))


async def test_last_seat_is_taken_once(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, capacity=4)
    seats = parts.container.memberships._seats
    assert (await take(parts, qun, XUAN)).id == parts.room_id(qun)
    with pytest.raises(GroupFull, match=str(qun.number)):
        await take(parts, qun, "wxid_other")
    assert (await take(parts, qun, XUAN)).id == parts.room_id(qun), "their own seat does not hinder them"
    seats.release(qun, XUAN)
    seats.release(qun, XUAN)
    assert (await take(parts, qun, "wxid_other")).id == parts.room_id(qun)


async def test_person_who_has_joined_needs_no_second_seat(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, capacity=5)
    await take(parts, qun, XUAN)
    parts.members(qun).add(XUAN)
    assert (await take(parts, qun, "wxid_other")).id == parts.room_id(qun)


async def test_reservations_of_other_groups_do_not_count(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, capacity=4)
    other = await parts.group("2")
    await take(parts, other, XUAN)
    assert (await take(parts, qun, "wxid_other")).id == parts.room_id(qun)


async def test_room_that_wechat_calls_full_is_not_used(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, capacity=9)
    with pytest.raises(GroupFull):
        await take(parts, qun, XUAN, parts.room_id(qun))


@pytest.mark.parametrize(("capacity", "opens"), [(3, False), (4, True)])
async def test_next_room_is_opened_if_it_has_a_seat(open_parts: OpenParts, capacity: int, opens: bool) -> None:
    parts, qun = await opened(open_parts, capacity=capacity, overflow=True)
    assert parts.container.memberships._seats.may_overflow
    parts.members(qun).add("wxid_somebody")
    if opens:
        assert (await take(parts, qun, XUAN)).id == parts.container.groups.rooms(qun)[1].room_id
    else:
        with pytest.raises(GroupFull):
            await take(parts, qun, XUAN)
    assert parts.wechat.calls.count("create_room") == 1 + opens


async def test_without_overflow_no_room_is_opened(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, capacity=4, overflow=False)
    assert not parts.container.memberships._seats.may_overflow
    parts.members(qun).add("wxid_somebody")
    with pytest.raises(GroupFull):
        await take(parts, qun, XUAN)
    assert parts.wechat.calls.count("create_room") == 1


async def test_group_that_wechat_does_not_show_has_no_seat(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, overflow=True)
    parts.wechat.directory.drop_room(parts.room_id(qun))
    with pytest.raises(InviteFailed, match="shows no room"):
        await take(parts, qun, XUAN)
    assert parts.wechat.calls.count("create_room") == 1


async def test_new_room_that_wechat_does_not_show_has_no_seat(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, capacity=4, overflow=True)
    parts.members(qun).update({"wxid_somebody", SONG})
    lifecycle = parts.container.group_lifecycle
    open_room = lifecycle.open_next_room

    async def open_hidden(qun: Qun, actor: str) -> QunRoom:
        room = await open_room(qun, actor)
        parts.wechat.directory.drop_room(room.room_id or "")
        return room

    lifecycle.open_next_room = open_hidden  # type: ignore[method-assign]
    with pytest.raises(InviteFailed, match="does not show room"):
        await take(parts, qun, XUAN)
