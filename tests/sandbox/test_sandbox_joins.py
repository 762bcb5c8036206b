"""Joining groups."""

from __future__ import annotations

import pytest

from sandbox.world.model import Kind, ObjectNotFound, Refused, WorldRoom
from sandbox.world.world import SONG, WENLONG, XUANFENG, ZHIDUO, World
from tests.sandbox.conftest import ACCOUNT, BOT, EventRecorder
from tests.services.clock import Clock


@pytest.fixture
def room(world: World) -> WorldRoom:
    """A group owned by 宋公明 with 智多星 and the assistant."""
    return world.rooms.create(SONG, [ZHIDUO, BOT], "梁山")


def grow(world: World, room: WorldRoom, size: int) -> None:
    """Fill a group with strangers up to a size, without events."""
    for person in world.add_crowd(ACCOUNT, size - len(room.members), prefix="filler", friends=False):
        world.rooms.admit_members(room, [person.id], SONG)


def test_friend_is_added_once(world: World, room: WorldRoom, recorder: EventRecorder) -> None:
    assert world.joins.add(BOT, room.id, XUANFENG) is None
    assert XUANFENG in room.members
    assert world.joins.add(BOT, room.id, XUANFENG) is None
    joins = [(join["inviteeIdList"], join["inviterId"]) for join in recorder.of("room-join")]
    assert joins == [([XUANFENG], BOT)]


def test_adding_strangers_or_by_outsiders_is_rejected(world: World, room: WorldRoom) -> None:
    with pytest.raises(Refused, match="不是你的好友"):
        world.joins.add(BOT, room.id, WENLONG)
    with pytest.raises(ObjectNotFound):
        world.joins.add(XUANFENG, room.id, WENLONG)
    assert WENLONG not in room.members


def test_member_above_the_direct_limit_is_invited(world: World, room: WorldRoom, recorder: EventRecorder) -> None:
    grow(world, room, 39)
    assert world.joins.add(BOT, room.id, XUANFENG) is None
    assert len(room.members) == 40
    world.people.befriend(WENLONG, BOT)
    card = world.joins.add(BOT, room.id, WENLONG)
    assert card is not None
    assert WENLONG not in room.members
    shown = world.chats.history(WENLONG, BOT)[-1]
    assert (shown.kind, shown.data) == (Kind.INVITATION, {"invitation": card.id})
    assert world.joins.tap(WENLONG, card.id) is True
    assert recorder.of("room-join")[-1]["inviteeIdList"] == [WENLONG]


def test_invitation_is_personal_and_single_use(world: World, room: WorldRoom, recorder: EventRecorder) -> None:
    card = world.joins.add(BOT, room.id, XUANFENG, card=True)
    assert card is not None
    assert world.joins.add(BOT, room.id, XUANFENG, card=True) is card
    with pytest.raises(ObjectNotFound):
        world.joins.tap(WENLONG, card.id)
    world.joins.tap(XUANFENG, card.id)
    told = len(recorder.of("room-join"))
    assert world.joins.tap(XUANFENG, card.id) is True
    assert len(recorder.of("room-join")) == told
    world.rooms.leave(XUANFENG, room.id)
    with pytest.raises(Refused, match="失效"):
        world.joins.tap(XUANFENG, card.id)


def test_invitation_is_invalid_after_its_inviter_left(world: World, room: WorldRoom) -> None:
    card = world.joins.add(BOT, room.id, XUANFENG, card=True)
    assert card is not None
    world.rooms.leave(BOT, room.id)
    with pytest.raises(Refused, match="失效"):
        world.joins.tap(XUANFENG, card.id)


def test_assistant_is_invited(world: World, recorder: EventRecorder) -> None:
    room = world.rooms.create(SONG, [ZHIDUO, XUANFENG], "别人的群")
    card = world.joins.add(SONG, room.id, BOT, card=True)
    assert card is not None
    assert recorder.of("room-invite") == [{"roomInvitationId": card.id}]
    assert recorder.of("message") == []
    world.joins.tap(BOT, card.id)
    assert recorder.of("room-join")[-1]["inviteeIdList"] == [BOT]


def test_owner_confirms_join(world: World, room: WorldRoom, recorder: EventRecorder) -> None:
    world.rooms.set_confirm(SONG, room.id, True)
    for _ in range(2):
        with pytest.raises(Refused, match="群主已启用群聊邀请确认") as refused:
            world.joins.add(BOT, room.id, XUANFENG)
        assert refused.value.code == -2028
    [waiting] = world.state.confirmations.values()
    with pytest.raises(Refused, match="群主或管理员"):
        world.joins.decide(BOT, waiting.id, True)
    assert XUANFENG not in room.members
    world.joins.decide(SONG, waiting.id, True)
    assert XUANFENG in room.members
    assert (recorder.of("room-join")[-1]["inviteeIdList"], recorder.of("room-join")[-1]["inviterId"]) == (
        [XUANFENG],
        BOT,
    )
    with pytest.raises(Refused, match="已经处理"):
        world.joins.decide(SONG, waiting.id, False)
    with pytest.raises(ObjectNotFound):
        world.joins.decide(SONG, "confirm_nothing", True)


def test_owner_rejects_join_then_confirms_the_next(world: World, room: WorldRoom) -> None:
    world.rooms.set_confirm(SONG, room.id, True)
    with pytest.raises(Refused):
        world.joins.add(BOT, room.id, XUANFENG)
    [waiting] = world.state.confirmations.values()
    world.joins.decide(SONG, waiting.id, False)
    assert XUANFENG not in room.members
    with pytest.raises(Refused):
        world.joins.add(BOT, room.id, XUANFENG)
    assert len(world.state.confirmations) == 2


def test_owner_needs_no_confirmation_and_managers_switch_it(world: World, room: WorldRoom) -> None:
    with pytest.raises(Refused, match="群主或管理员"):
        world.rooms.set_confirm(BOT, room.id, True)
    world.rooms.set_confirm(SONG, room.id, True)
    world.joins.add(SONG, room.id, XUANFENG)
    assert XUANFENG in room.members


def test_accepted_invitation_waits_for_owner_confirmation(world: World, room: WorldRoom) -> None:
    card = world.joins.add(BOT, room.id, XUANFENG, card=True)
    assert card is not None
    world.rooms.set_confirm(SONG, room.id, True)
    assert world.joins.tap(XUANFENG, card.id) is False
    [waiting] = world.state.confirmations.values()
    world.joins.decide(SONG, waiting.id, True)
    assert XUANFENG in room.members


def test_large_confirming_group_requires_owner_then_person(world: World, room: WorldRoom) -> None:
    grow(world, room, 40)
    world.rooms.set_confirm(SONG, room.id, True)
    with pytest.raises(Refused, match="-2028"):
        world.joins.add(BOT, room.id, XUANFENG)
    [waiting] = world.state.confirmations.values()
    world.joins.decide(SONG, waiting.id, True)
    assert XUANFENG not in room.members
    [card] = world.state.invitations.values()
    assert world.joins.tap(XUANFENG, card.id) is True


def test_full_group_rejects_every_kind_of_join(world: World, room: WorldRoom) -> None:
    card = world.joins.add(BOT, room.id, XUANFENG, card=True)
    assert card is not None
    grow(world, room, 500)
    world.people.befriend(WENLONG, BOT)
    with pytest.raises(Refused, match="上限"):
        world.joins.add(BOT, room.id, WENLONG)
    with pytest.raises(Refused, match="上限"):
        world.joins.tap(XUANFENG, card.id)
    world.rooms.leave("wxid_filler_0", room.id)
    assert world.joins.tap(XUANFENG, card.id) is True
    assert len(room.members) == 500


def test_qr_code_expires_after_seven_days(world: World, room: WorldRoom, clock: Clock, recorder: EventRecorder) -> None:
    code = world.joins.qr_code(BOT, room.id)
    assert world.joins.qr_code(BOT, room.id) != code
    clock.now += 7 * 86400 - 1
    assert world.joins.scan(WENLONG, code) is room
    assert recorder.of("room-join")[-1]["inviterId"] == BOT
    clock.now += 1
    with pytest.raises(Refused, match="过期"):
        world.joins.scan(XUANFENG, code)
    with pytest.raises(ObjectNotFound):
        world.joins.scan(XUANFENG, "https://weixin.qq.com/g/none")
    with pytest.raises(ObjectNotFound):
        world.joins.qr_code(XUANFENG, room.id)


def test_qr_code_is_disabled_by_confirmation_and_from_200_members(world: World, room: WorldRoom) -> None:
    code = world.joins.qr_code(BOT, room.id)
    world.rooms.set_confirm(SONG, room.id, True)
    with pytest.raises(Refused, match="扫码"):
        world.joins.scan(WENLONG, code)
    world.rooms.set_confirm(SONG, room.id, False)
    grow(world, room, 200)
    with pytest.raises(Refused, match="200"):
        world.joins.scan(WENLONG, code)
    assert world.joins.scan(ZHIDUO, code) is room
