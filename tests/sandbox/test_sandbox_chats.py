"""Messages of the world: recipients, visibility and ids."""

from __future__ import annotations

import pytest

from sandbox.world.model import Kind, ObjectNotFound, Refused
from sandbox.world.world import ADMIN, SONG, WENLONG, XUANFENG, ZHIDUO, World
from tests.sandbox.conftest import ACCOUNT, BOT, EventRecorder
from tests.services.clock import Clock


def test_message_ids_are_specific_to_the_account(world: World, recorder: EventRecorder) -> None:
    said = world.chats.say(SONG, BOT, "你好")
    [told] = recorder.of("message")
    assert world.chats.by_wire_id(ACCOUNT, told["messageId"]) is said
    world.ensure(["weimi1002"])
    with pytest.raises(ObjectNotFound):
        world.chats.by_wire_id("weimi1002", told["messageId"])


def test_own_messages_are_echoed(world: World, recorder: EventRecorder) -> None:
    said = world.chats.say(BOT, SONG, "您好")
    assert recorder.of("message") == [{"messageId": world.chats.wire_id(ACCOUNT, said)}]


def test_message_to_stranger_or_deleted_friend_is_rejected(world: World, recorder: EventRecorder) -> None:
    with pytest.raises(Refused, match="不是你的好友"):
        world.chats.say(WENLONG, BOT, "喂")
    world.people.forget(SONG, BOT)
    with pytest.raises(Refused, match="朋友验证"):
        world.chats.say(BOT, SONG, "在吗")
    verify = world.people.seen_by(BOT, recorder.of("friendship")[0]["friendshipId"])
    assert (verify.type, verify.asker) == (3, SONG)
    assert recorder.of("message") == []


def test_invalid_messages_are_rejected(world: World) -> None:
    with pytest.raises(Refused, match="空白"):
        world.chats.say(SONG, BOT, "")
    with pytest.raises(ObjectNotFound):
        world.chats.say(SONG, "wxid_nobody", "x")
    with pytest.raises(ObjectNotFound):
        world.chats.say(SONG, "1@chatroom", "x")
    with pytest.raises(Refused, match="空文件"):
        world.chats.send_media(SONG, BOT, Kind.FILE, "a.txt", b"")
    with pytest.raises(ObjectNotFound):
        world.chats.send_card(SONG, BOT, "wxid_nobody")
    with pytest.raises(ObjectNotFound):
        world.chats.by_wire_id(ACCOUNT, "²³")


def test_room_messages_reach_members_only(world: World, recorder: EventRecorder) -> None:
    room = world.rooms.create(SONG, [ZHIDUO, XUANFENG], "无助手")
    world.chats.say(SONG, room.id, "悄悄话")
    assert recorder.of("message", "room-join") == []
    with pytest.raises(Refused, match="不在该群聊"):
        world.chats.say(BOT, room.id, "我也来")


def test_mentions_must_be_members_and_add_an_at(world: World) -> None:
    room = world.rooms.create(SONG, [ZHIDUO, BOT], "群")
    said = world.chats.say(SONG, room.id, "在吗", [BOT, WENLONG, BOT])
    assert said.mentions == [BOT]
    assert said.text == "@weimi1001\u2005在吗"
    assert world.chats.say(SONG, room.id, "@weimi1001 在吗", [BOT]).text == "@weimi1001 在吗"


def test_recall_is_limited_to_own_messages_and_two_minutes(world: World, recorder: EventRecorder, clock: Clock) -> None:
    said = world.chats.say(SONG, BOT, "说错了")
    with pytest.raises(Refused, match="自己"):
        world.chats.recall(BOT, said.seq)
    world.chats.recall(SONG, said.seq)
    recalled = world.chats.by_wire_id(ACCOUNT, recorder.of("message")[1]["messageId"])
    assert (recalled.kind, recalled.data) == (Kind.RECALLED, {"seq": said.seq})
    with pytest.raises(Refused, match="不能撤回"):
        world.chats.recall(SONG, said.seq)
    late = world.chats.say(SONG, BOT, "太晚")
    clock.now += 121
    with pytest.raises(Refused, match="不能撤回"):
        world.chats.recall(SONG, late.seq)
    with pytest.raises(ObjectNotFound):
        world.chats.recall(ADMIN, late.seq)


def test_forward_rejects_recalled_messages(world: World) -> None:
    picture = world.chats.send_media(SONG, BOT, Kind.IMAGE, "a.png", b"png")
    sent = world.chats.forward(BOT, picture, ADMIN)
    assert (sent.kind, sent.media, sent.to) == (Kind.IMAGE, picture.media, ADMIN)
    world.chats.recall(SONG, picture.seq)
    with pytest.raises(Refused, match="不能转发"):
        world.chats.forward(BOT, picture, ADMIN)


def test_history_unread_counts_and_chat_list(world: World) -> None:
    for n in range(5):
        world.chats.say(BOT, SONG, f"第{n}条")
    world.chats.say(ADMIN, SONG, "另一个聊天")
    assert world.chats.of(SONG)[:2] == [ADMIN, BOT]
    assert world.chats.unread(SONG, BOT) == 5
    page = world.chats.history(SONG, BOT, limit=2)
    assert [said.text for said in page] == ["第3条", "第4条"]
    assert [said.text for said in world.chats.history(SONG, BOT, before=page[0].seq, limit=2)] == ["第1条", "第2条"]
    world.chats.mark_read(SONG, BOT)
    assert world.chats.unread(SONG, BOT) == 0
    world.chats.say(SONG, BOT, "自己说的不算未读")
    assert world.chats.unread(SONG, BOT) == 0


def test_new_member_sees_no_earlier_messages(world: World) -> None:
    room = world.rooms.create(SONG, [ZHIDUO, BOT], "群")
    before = world.chats.say(SONG, room.id, "以前")
    world.joins.add(SONG, room.id, XUANFENG)
    with pytest.raises(ObjectNotFound):
        world.chats.visible_message(XUANFENG, before.seq)
    assert before not in world.chats.history(XUANFENG, room.id)
