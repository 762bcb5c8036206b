"""Groups: creating, changing, leaving."""

from __future__ import annotations

import pytest

from sandbox.world.model import NotThere, Refused, WorldRoom
from sandbox.world.world import ADMIN, SONG, WENLONG, XUANFENG, ZHIDUO, World
from tests.sandbox.conftest import ACCOUNT, BOT, Clock, EventRecorder


@pytest.fixture
def room(world: World) -> WorldRoom:
    """A group owned by 宋公明 with 智多星 and the assistant."""
    return world.rooms.create(SONG, [ZHIDUO, BOT], "梁山")


def test_three_make_a_group_and_its_maker_owns_it(world: World, recorder: EventRecorder, clock: Clock) -> None:
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
def test_no_group_of_two_or_of_strangers(world: World, recorder: EventRecorder, others: list[str], why: str) -> None:
    with pytest.raises(Refused, match=why):
        world.rooms.create(BOT, others, "x")
    assert world.state.rooms == {}
    assert recorder.of("room-join") == []


def test_the_same_call_twice_makes_two_groups(world: World) -> None:
    """WeChat has no idempotency: two calls create two groups."""
    made = {world.rooms.create(BOT, [SONG, ZHIDUO], "同名").id for _ in range(2)}
    assert len(made) == 2


def test_making_a_group_of_more_than_forty_sends_cards(world: World) -> None:
    crowd = [person.id for person in world.crowd(ACCOUNT, 45)]
    room = world.rooms.create(BOT, crowd, "大群")
    assert len(room.members) == 40
    assert len(world.state.invitations) == 6


def test_anybody_inside_may_rename_but_the_same_name_is_no_news(
    world: World, room: WorldRoom, recorder: EventRecorder
) -> None:
    world.rooms.set_topic(BOT, room.id, "水泊")
    world.rooms.set_topic(BOT, room.id, "水泊")
    assert [payload["oldTopic"] for payload in recorder.of("room-topic")] == ["梁山"]
    assert {"payloadType": 3, "payloadId": room.id} in recorder.of("dirty")
    with pytest.raises(Refused, match="不能为空"):
        world.rooms.set_topic(BOT, room.id, " ")
    with pytest.raises(NotThere):
        world.rooms.set_topic(ADMIN, room.id, "x")


def test_the_announcement_is_the_owners_and_the_admins(world: World, room: WorldRoom, recorder: EventRecorder) -> None:
    with pytest.raises(Refused, match="群主"):
        world.rooms.announce(BOT, room.id, "我说")
    world.rooms.announce(SONG, room.id, "今晚集合")
    assert room.announcement == "今晚集合"
    said = world.chats.by_wire_id(ACCOUNT, recorder.of("message")[-1]["messageId"])
    assert said.text == "@所有人\n今晚集合"
    world.rooms.set_admins(SONG, room.id, [BOT])
    world.rooms.announce(BOT, room.id, "管理员说")
    assert room.announcement == "管理员说"


def test_only_owner_and_admins_remove(world: World, room: WorldRoom, recorder: EventRecorder) -> None:
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


def test_the_removed_assistant_is_told_and_is_out(world: World, room: WorldRoom, recorder: EventRecorder) -> None:
    world.rooms.remove(SONG, room.id, BOT)
    assert recorder.of("room-leave")[-1]["removeeIdList"] == [BOT]
    heard = len(recorder.all)
    world.chats.say(SONG, room.id, "他走了")
    assert len(recorder.all) == heard
    with pytest.raises(NotThere):
        world.rooms.seen_by(BOT, room.id)


def test_when_the_owner_leaves_the_eldest_member_owns(world: World, room: WorldRoom, recorder: EventRecorder) -> None:
    world.rooms.leave(SONG, room.id)
    assert room.owner == ZHIDUO
    assert recorder.of("room-leave")[-1]["removerId"] == SONG
    with pytest.raises(NotThere):
        world.rooms.leave(SONG, room.id)


def test_the_last_one_out(world: World, room: WorldRoom) -> None:
    for who in (ZHIDUO, SONG, BOT):
        world.rooms.leave(who, room.id)
    assert room.members == {}


def test_ownership_goes_from_the_owner_to_a_member(world: World) -> None:
    room = world.rooms.create(BOT, [SONG, ZHIDUO], "x")
    with pytest.raises(Refused, match="只有群主"):
        world.rooms.transfer(SONG, room.id, SONG)
    with pytest.raises(Refused, match="不在群里"):
        world.rooms.transfer(BOT, room.id, ADMIN)
    world.rooms.transfer(BOT, room.id, SONG)
    assert room.owner == SONG
    with pytest.raises(Refused, match="只有群主"):
        world.rooms.transfer(BOT, room.id, BOT)


def test_three_admins_at_most_all_members_named_by_the_owner(world: World, room: WorldRoom) -> None:
    with pytest.raises(Refused, match="只有群主"):
        world.rooms.set_admins(BOT, room.id, [BOT])
    with pytest.raises(Refused, match="管理员"):
        world.rooms.set_admins(SONG, room.id, [ADMIN])
    world.rooms.set_admins(SONG, room.id, [BOT, SONG])
    assert room.admins == {BOT}


def test_the_group_alias_is_ones_own(world: World, room: WorldRoom) -> None:
    world.rooms.set_alias(ZHIDUO, room.id, "军师")
    assert world.called_in(room.id, ZHIDUO) == "军师"
    assert world.people.get(ZHIDUO).name == "智多星"
    with pytest.raises(NotThere):
        world.rooms.set_alias(ADMIN, room.id, "x")
