"""Groups: creating, changing, leaving."""

from __future__ import annotations

import pytest

from sandbox.world.model import ObjectNotFound, Refused, WorldRoom
from sandbox.world.world import ADMIN, SONG, WENLONG, XUANFENG, ZHIDUO, World
from tests.sandbox.conftest import ACCOUNT, BOT, EventRecorder
from tests.services.clock import Clock


@pytest.fixture
def room(world: World) -> WorldRoom:
    """A group owned by 宋公明 with 智多星 and the assistant."""
    return world.rooms.create(SONG, [ZHIDUO, BOT], "梁山")


def test_room_of_three_is_created_and_owned_by_creator(world: World, recorder: EventRecorder, clock: Clock) -> None:
    room = world.rooms.create(BOT, [SONG, ZHIDUO], "宋公明的群100001")
    assert (room.owner, set(room.members)) == (BOT, {BOT, SONG, ZHIDUO})
    assert room.id.endswith("@chatroom")
    at = int(clock.now * 1000)
    assert recorder.of("room-join") == [
        {"inviteeIdList": [SONG, ZHIDUO], "inviterId": BOT, "roomId": room.id, "timestamp": at}
    ]
    assert recorder.of("room-topic") == [
        {"changerId": BOT, "newTopic": "宋公明的群100001", "oldTopic": "", "roomId": room.id, "timestamp": at}
    ]


@pytest.mark.parametrize(
    ("others", "why"), [([SONG], "三个人"), ([SONG, SONG, BOT], "三个人"), ([SONG, WENLONG], "好友")]
)
def test_room_of_two_or_with_strangers_is_rejected(
    world: World, recorder: EventRecorder, others: list[str], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        world.rooms.create(BOT, others, "x")
    assert world.state.rooms == {}
    assert recorder.of("room-join") == []


def test_repeated_create_makes_two_rooms(world: World) -> None:
    """WeChat has no idempotency: two calls create two groups."""
    made = {world.rooms.create(BOT, [SONG, ZHIDUO], "同名").id for _ in range(2)}
    assert len(made) == 2


def test_creating_a_room_above_the_direct_limit_sends_invitations(world: World) -> None:
    crowd = [person.id for person in world.add_crowd(ACCOUNT, 45)]
    room = world.rooms.create(BOT, crowd, "大群")
    assert len(room.members) == 40
    assert len(world.state.invitations) == 6


def test_any_member_may_rename_and_same_topic_emits_nothing(
    world: World, room: WorldRoom, recorder: EventRecorder
) -> None:
    world.rooms.set_topic(BOT, room.id, "水泊")
    world.rooms.set_topic(BOT, room.id, "水泊")
    assert [payload["oldTopic"] for payload in recorder.of("room-topic")] == ["梁山"]
    assert {"payloadType": 3, "payloadId": room.id} in recorder.of("dirty")
    with pytest.raises(Refused, match="不能为空"):
        world.rooms.set_topic(BOT, room.id, " ")
    with pytest.raises(ObjectNotFound):
        world.rooms.set_topic(ADMIN, room.id, "x")


def test_announcement_requires_owner_or_admin(world: World, room: WorldRoom, recorder: EventRecorder) -> None:
    with pytest.raises(Refused, match="群主"):
        world.rooms.announce(BOT, room.id, "我说")
    world.rooms.announce(SONG, room.id, "今晚集合")
    assert room.announcement == "今晚集合"
    said = world.chats.by_wire_id(ACCOUNT, recorder.of("message")[-1]["messageId"])
    assert said.text == "@所有人\n今晚集合"
    world.rooms.set_admins(SONG, room.id, [BOT])
    world.rooms.announce(BOT, room.id, "管理员说")
    assert room.announcement == "管理员说"


def test_remove_requires_owner_or_admin(world: World, room: WorldRoom, recorder: EventRecorder) -> None:
    world.joins.add(SONG, room.id, XUANFENG)
    with pytest.raises(Refused, match="群主或管理员"):
        world.rooms.remove(BOT, room.id, XUANFENG)
    world.rooms.set_admins(SONG, room.id, [BOT, ZHIDUO])
    world.rooms.remove(BOT, room.id, XUANFENG)
    leave = recorder.of("room-leave")[-1]
    assert (leave["removeeIdList"], leave["removerId"]) == ([XUANFENG], BOT)
    with pytest.raises(Refused, match="不在群里"):
        world.rooms.remove(BOT, room.id, XUANFENG)
    for who in (SONG, ZHIDUO):
        with pytest.raises(Refused, match="群主或管理员"):
            world.rooms.remove(BOT, room.id, who)
    with pytest.raises(Refused, match="自己"):
        world.rooms.remove(BOT, room.id, BOT)


def test_removed_assistant_is_notified(world: World, room: WorldRoom, recorder: EventRecorder) -> None:
    world.rooms.remove(SONG, room.id, BOT)
    assert recorder.of("room-leave")[-1]["removeeIdList"] == [BOT]
    received = len(recorder.all)
    world.chats.say(SONG, room.id, "他走了")
    assert len(recorder.all) == received
    with pytest.raises(ObjectNotFound):
        world.rooms.seen_by(BOT, room.id)


def test_oldest_member_inherits_ownership(world: World, room: WorldRoom, recorder: EventRecorder) -> None:
    world.rooms.leave(SONG, room.id)
    assert room.owner == ZHIDUO
    assert recorder.of("room-leave")[-1]["removerId"] == SONG
    with pytest.raises(ObjectNotFound):
        world.rooms.leave(SONG, room.id)


def test_room_is_empty_after_last_leave(world: World, room: WorldRoom) -> None:
    for who in (ZHIDUO, SONG, BOT):
        world.rooms.leave(who, room.id)
    assert room.members == {}


def test_ownership_is_transferred_to_a_member(world: World) -> None:
    room = world.rooms.create(BOT, [SONG, ZHIDUO], "x")
    with pytest.raises(Refused, match="只有群主"):
        world.rooms.transfer(SONG, room.id, SONG)
    with pytest.raises(Refused, match="不在群里"):
        world.rooms.transfer(BOT, room.id, ADMIN)
    world.rooms.transfer(BOT, room.id, SONG)
    assert room.owner == SONG
    with pytest.raises(Refused, match="只有群主"):
        world.rooms.transfer(BOT, room.id, BOT)


def test_at_most_three_admins_set_by_the_owner(world: World, room: WorldRoom) -> None:
    with pytest.raises(Refused, match="只有群主"):
        world.rooms.set_admins(BOT, room.id, [BOT])
    with pytest.raises(Refused, match="管理员"):
        world.rooms.set_admins(SONG, room.id, [ADMIN])
    world.rooms.set_admins(SONG, room.id, [BOT, SONG])
    assert room.admins == {BOT}


def test_room_alias_belongs_to_the_member(world: World, room: WorldRoom) -> None:
    world.rooms.set_alias(ZHIDUO, room.id, "军师")
    assert world.name_in(room.id, ZHIDUO) == "军师"
    assert world.people.get(ZHIDUO).name == "智多星"
    with pytest.raises(ObjectNotFound):
        world.rooms.set_alias(ADMIN, room.id, "x")
