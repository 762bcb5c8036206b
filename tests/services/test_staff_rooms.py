"""Which group is an account's staff room, and who is on duty."""

from __future__ import annotations

from functools import partial

import pytest

from errors import NotFound
from models.durable import Outcome, Setting
from services.support.staff_rooms import PREFIX, StaffRooms
from services.support.staffing import Staffing
from tests.services.parts import ACCOUNT, SONG, STAFF, XUAN, ZHI, OpenParts, Parts
from tests.services.staffed import CLOSED_AT_NIGHT, ROOM, appoint_admin, audited, open_staff_room
from wechat.entities import Room
from wechat.interface import PUPPET, Capability, State

TOPIC = "客服值班群"
OTHER = "other@chatroom"


def rooms(parts: Parts) -> StaffRooms:
    return parts.container.staff_rooms


def put_room(parts: Parts, room_id: str, owner: str = SONG, topic: str = TOPIC) -> Room:
    room = Room(room_id, topic, owner, (), {parts.wechat.self_id, STAFF})
    parts.wechat.directory.put_room(room)
    return room


async def settle(parts: Parts) -> None:
    """Wait for the writes begun before."""
    await parts.write(lambda _: None)


async def test_room_with_the_topic_of_an_admin_is_bound(parts: Parts) -> None:
    appoint_admin(parts)
    assert rooms(parts).of(ACCOUNT) is None
    room = put_room(parts, ROOM)
    assert rooms(parts).of(ACCOUNT) == room
    await settle(parts)
    (action,) = await audited(parts, "staff_room")
    assert (action.who, action.target, action.outcome, action.detail) == ("automatic", ROOM, Outcome.DONE, {})
    assert (await parts.read(lambda s: s.get_one(Setting, PREFIX + ACCOUNT))).value == ROOM
    put_room(parts, OTHER)
    assert rooms(parts).of(ACCOUNT) == room, "it stays so, whatever other groups are called"


async def test_room_of_the_same_topic_is_not_enough(parts: Parts) -> None:
    appoint_admin(parts)
    put_room(parts, ROOM, owner=XUAN)
    assert rooms(parts).of(ACCOUNT) is None, "anyone can give a group that name"
    put_room(parts, ROOM, owner=SONG)
    put_room(parts, OTHER, owner=SONG)
    assert rooms(parts).of(ACCOUNT) is None, "there are two"
    put_room(parts, ROOM, topic="别的群")
    put_room(parts, OTHER, topic="别的群")
    assert rooms(parts).of(ACCOUNT) is None
    assert rooms(parts).bound_id(ACCOUNT) == ""


async def test_bound_room_is_used_whatever_its_name(parts: Parts) -> None:
    put_room(parts, ROOM, owner=XUAN, topic="别的群")
    put_room(parts, OTHER, owner=XUAN)
    await parts.write(partial(rooms(parts).bind, account=ACCOUNT, room_id=ROOM, actor="person:x"))
    assert rooms(parts).bound_id(ACCOUNT) == ROOM
    assert rooms(parts).is_staff_room(ACCOUNT, ROOM)
    assert not rooms(parts).is_staff_room(ACCOUNT, OTHER)
    assert [rooms(parts).has_member(ACCOUNT, who) for who in (STAFF, XUAN)] == [True, False]
    await parts.write(partial(rooms(parts).bind, account=ACCOUNT, room_id=ROOM, actor="person:x"))
    await parts.write(partial(rooms(parts).bind, account=ACCOUNT, room_id=OTHER, actor="person:x"))
    assert [action.detail for action in await audited(parts, "staff_room")] == [{}, {}, {"before": ROOM}]
    parts.wechat.directory.drop_room(OTHER)
    assert rooms(parts).of(ACCOUNT) is None
    assert not rooms(parts).has_member(ACCOUNT, STAFF)
    assert rooms(parts).bound_id(ACCOUNT) == OTHER


async def test_room_that_the_account_is_not_in_cannot_be_bound(parts: Parts) -> None:
    with pytest.raises(NotFound):
        await parts.write(partial(rooms(parts).bind, account=ACCOUNT, room_id=ROOM, actor="person:x"))
    assert await audited(parts, "staff_room") == []


async def test_room_is_found_when_it_is_asked_about(parts: Parts) -> None:
    appoint_admin(parts)
    put_room(parts, ROOM)
    assert rooms(parts).is_staff_room(ACCOUNT, ROOM)
    await settle(parts)


async def test_bindings_are_loaded_for_some_accounts_or_all(parts: Parts) -> None:
    await parts.write(
        lambda s: s.add_all([Setting(key=PREFIX + name, value=f"{name}@chatroom") for name in ("a", "b")])
    )
    await parts.write(lambda s: s.add(Setting(key="other:c", value="x")))
    await rooms(parts).load(["a"])
    assert [rooms(parts).bound_id(name) for name in ("a", "b")] == ["a@chatroom", ""]
    await rooms(parts).load()
    assert [rooms(parts).bound_id(name) for name in ("a", "b", "c")] == ["a@chatroom", "b@chatroom", ""]


async def test_topic_of_the_staff_room_is_reserved(parts: Parts) -> None:
    assert rooms(parts).is_reserved(" 客服值班群 ")
    assert not rooms(parts).is_reserved("客服")


# ---- staff ----


def staffing(parts: Parts) -> Staffing:
    return parts.container.staffing


async def test_customers_and_staff_can_talk(parts: Parts) -> None:
    assert not staffing(parts).can_talk(ACCOUNT), "there is no staff room"
    room = await open_staff_room(parts)
    assert staffing(parts).room(ACCOUNT) == room
    assert staffing(parts).can_talk(ACCOUNT)
    assert not staffing(parts).can_talk("weimi1002")
    parts.wechat.state = State.CONNECTING
    assert not staffing(parts).can_talk(ACCOUNT)
    parts.wechat.state = State.ONLINE
    parts.clock.now += CLOSED_AT_NIGHT
    assert not staffing(parts).can_talk(ACCOUNT)
    assert not staffing(parts).in_hours()
    assert staffing(parts).next_opening() == "今天 09:00"


async def test_console_needs_no_staff_room(parts: Parts) -> None:
    assert (staffing(parts).needs_room(ACCOUNT), staffing(parts).has_client(ACCOUNT)) == (True, False)
    parts.wechat.capabilities = PUPPET - {Capability.ROOM_MESSAGES} | {Capability.STAFF_CLIENT}
    assert (staffing(parts).needs_room(ACCOUNT), staffing(parts).has_client(ACCOUNT)) == (False, True)
    assert staffing(parts).can_talk(ACCOUNT)


async def test_people_on_duty_are_members_with_an_unambiguous_name(open_parts: OpenParts) -> None:
    names = ["店长", "智多星", "小李", "没有这人", "店长"]
    parts = await open_parts(customer_service={"faq": "", "handoff": {"on_duty": names}})
    room = await open_staff_room(parts, ZHI, "wxid_li1", "wxid_li2")
    for who in ("wxid_li1", "wxid_li2"):
        parts.wechat.knows(who, "小李")
    assert staffing(parts).on_duty(ACCOUNT, room) == [STAFF, ZHI]
    assert staffing(parts).to_remind(ACCOUNT, room) == [STAFF, ZHI]


async def test_everybody_but_the_assistant_is_reminded_if_nobody_is_on_duty(parts: Parts) -> None:
    room = await open_staff_room(parts, ZHI)
    assert staffing(parts).on_duty(ACCOUNT, room) == []
    assert staffing(parts).to_remind(ACCOUNT, room) == sorted([STAFF, ZHI])
