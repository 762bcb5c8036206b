"""Calls of the sandbox's gateway: messages, contacts, groups, tags."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from sandbox.world.world import SONG, WENLONG, XUANFENG, ZHIDUO, World
from tests.sandbox.client import Client
from tests.sandbox.conftest import ACCOUNT, BOT
from tests.services.clock import Clock


async def test_text_in_both_message_layouts(client: Client, world: World) -> None:
    async with client.events() as events:
        await events.ready()
        world.chats.say(SONG, BOT, "你好")
        told = await events.payload("message")
        got = await client("MessagePayload", id=told["messageId"])
        assert (got.text, got.type, got.talker_id, got.listener_id, got.room_id) == ("你好", 7, SONG, BOT, "")
        assert got.receive_time.ToMilliseconds() == got.timestamp_deprecated == int(world.clock() * 1000)
        sent = await client("MessageSendText", conversation_id=SONG, text="您好")
        assert sent.id == sent.id_wrapped.value == (await events.payload("message"))["messageId"]
    assert world.chats.history(SONG, BOT)[-1].text == "您好"
    with pytest.raises(GRPCError, match="没有这条消息") as refused:
        await client("MessagePayload", id="1")
    assert refused.value.status is Status.UNKNOWN


async def test_contacts_are_seen_by_the_account(client: Client) -> None:
    assert set((await client("ContactList")).ids) == {BOT, SONG, XUANFENG, ZHIDUO, "wxid_admin"}
    friend = await client("ContactPayload", id=SONG)
    assert (friend.name, friend.weixin, friend.friend, friend.type) == ("宋公明", "jishiyu", True, 1)
    stranger = await client("ContactPayload", id=WENLONG)
    assert (stranger.name, stranger.weixin, stranger.friend) == ("九纹龙", "", False)
    with pytest.raises(GRPCError, match="没有这个人"):
        await client("ContactPayload", id="wxid_nobody")
    found = await client("FriendshipSearchHandle", weixin="shijin09")
    assert found.contact_id == found.contact_id_wrapped.value == WENLONG
    assert (await client("FriendshipSearchHandle", weixin="nobody")).contact_id == ""


async def test_alias_is_set_when_present_in_either_layout(client: Client) -> None:
    assert (await client("ContactAlias", id=SONG)).alias == ""
    await client("ContactAlias", id=SONG, alias="群主")
    got = await client("ContactAlias", id=SONG)
    assert got.alias == got.alias_wrapped.value == (await client("ContactPayload", id=SONG)).alias == "群主"
    await client("ContactAlias", id=SONG, alias_wrapped=StringValue(value="大哥"))
    assert (await client("ContactAlias", id=SONG)).alias == "大哥"
    await client("ContactAlias", id=SONG, alias="")
    assert (await client("ContactAlias", id=SONG)).alias == ""
    with pytest.raises(GRPCError, match="备注"):
        await client("ContactAlias", id=WENLONG, alias="x")


async def test_friend_request_is_read_and_accepted(client: Client, world: World) -> None:
    async with client.events() as events:
        await events.ready()
        world.people.ask(WENLONG, BOT, "NTkxNjkwNzE4RDY2")
        asked = (await events.payload("friendship"))["friendshipId"]
        got = await client("FriendshipPayload", id=asked)
        assert (got.contact_id, got.hello, got.type) == (WENLONG, "NTkxNjkwNzE4RDY2", 2)
        await client("FriendshipAccept", id=asked)
        confirmed = await client("FriendshipPayload", id=(await events.payload("friendship"))["friendshipId"])
        assert (confirmed.contact_id, confirmed.type) == (WENLONG, 1)
    assert world.people.are_friends(WENLONG, BOT)
    with pytest.raises(GRPCError, match="好友请求"):
        await client("FriendshipAccept", id="fs_nothing")


async def test_group_lifecycle(client: Client, world: World) -> None:
    async with client.events() as events:
        await events.ready()
        room_id = (await client("RoomCreate", contact_ids=[SONG, ZHIDUO], topic="一号群")).id
        assert (await events.payload("room-join"))["roomId"] == room_id
        assert (await events.payload("room-topic"))["newTopic"] == "一号群"
        await client("RoomAdd", id=room_id, contact_id=XUANFENG)
        assert (await events.payload("room-join"))["inviteeIdList"] == [XUANFENG]
        await client("RoomTopic", id=room_id, topic="二号群")
        assert (await events.payload("room-topic"))["newTopic"] == "二号群"
        await client("RoomAnnounce", id=room_id, text="公告")
        got = await client("RoomAnnounce", id=room_id)
        assert got.text == got.text_wrapped.value == "公告"
        await client("RoomDel", id=room_id, contact_id=XUANFENG)
        assert (await events.payload("room-leave"))["removeeIdList"] == [XUANFENG]
    room = await client("RoomPayload", id=room_id)
    assert (room.topic, room.owner_id, set(room.member_ids)) == ("二号群", BOT, {BOT, SONG, ZHIDUO})
    assert (await client("RoomList")).ids == [room_id]
    assert set((await client("RoomMemberList", id=room_id)).member_ids) == {BOT, SONG, ZHIDUO}
    world.rooms.set_alias(SONG, room_id, "大哥")
    member = await client("RoomMemberPayload", id=room_id, member_id=SONG)
    assert (member.room_alias, member.name, member.inviter_id) == ("大哥", "宋公明", BOT)
    assert "weixin.qq.com/g/" in (await client("RoomQRCode", id=room_id)).qrcode
    assert (await client("ContactPayload", id=room_id)).name == "二号群"  # requested as a contact by npm's wechaty
    await client("RoomQuit", id=room_id)
    assert (await client("RoomList")).ids == []
    assert (await client("RoomPayload", id=room_id)).member_ids == [SONG, ZHIDUO]  # it can still be read
    assert (await client("RoomMemberList", id=room_id)).member_ids == [SONG, ZHIDUO]
    assert (await client("RoomMemberPayload", id=room_id, member_id=SONG)).name == "宋公明"
    with pytest.raises(GRPCError, match="不在这个群里"):
        await client("RoomTopic", id=room_id, topic="三号群")
    others = world.rooms.create(SONG, [ZHIDUO, XUANFENG], "别人的群")
    for call in ("RoomPayload", "RoomMemberList", "ContactPayload"):
        with pytest.raises(GRPCError, match="不在这个群里"):
            await client(call, id=others.id)


async def test_rejections_carry_wechats_text(client: Client, world: World) -> None:
    room = world.rooms.create(SONG, [ZHIDUO, BOT], "梁山")
    world.rooms.set_confirm(SONG, room.id, True)
    refused: dict[str, tuple[dict[str, Any], str]] = {
        "RoomCreate": ({"contact_ids": [SONG]}, "三个人"),
        "RoomAdd": ({"id": room.id, "contact_id": XUANFENG}, "群主已启用群聊邀请确认.*-2028"),
        "RoomDel": ({"id": room.id, "contact_id": ZHIDUO}, "群主或管理员"),
        "RoomAnnounce": ({"id": room.id, "text": "x"}, "群主或管理员"),
        "MessageSendText": ({"conversation_id": WENLONG, "text": "x"}, "不是你的好友"),
        "FriendshipAdd": ({"contact_id": SONG, "hello": ""}, "已经是你的好友"),
    }
    for name, (fields, why) in refused.items():
        with pytest.raises(GRPCError, match=why) as error:
            await client(name, **fields)
        assert error.value.status is Status.UNKNOWN


async def test_invitation_is_read_and_accepted(client: Client, world: World) -> None:
    room = world.rooms.create(SONG, [ZHIDUO, XUANFENG], "别人的群")
    async with client.events() as events:
        await events.ready()
        world.joins.add(SONG, room.id, BOT, card=True)
        card = (await events.payload("room-invite"))["roomInvitationId"]
        got = await client("RoomInvitationPayload", id=card)
        assert (got.topic, got.inviter_id, got.member_count, got.receiver_id) == ("别人的群", SONG, 3, BOT)
        await client("RoomInvitationAccept", id=card)
        assert (await events.payload("room-join"))["inviteeIdList"] == [BOT]
    with pytest.raises(GRPCError, match="没有这个邀请"):
        await client("RoomInvitationAccept", id="invite_none")


async def test_tags_are_added_and_removed(client: Client) -> None:
    await client("TagContactAdd", id="VIP", contact_id=SONG)
    await client("TagContactAdd", id="VIP", contact_id=SONG)
    assert (await client("TagContactList", contact_id=SONG)).ids == ["VIP"]
    assert (await client("TagContactList", contact_id=ZHIDUO)).ids == []
    await client("TagContactRemove", id="VIP", contact_id=SONG)
    assert (await client("TagContactList", contact_id=SONG)).ids == []
    await client("TagContactDelete", id="VIP")
    with pytest.raises(GRPCError, match="标签"):
        await client("TagContactDelete", id="VIP")


async def test_message_ids_differ_between_accounts_of_a_shared_group(client: Client, world: World) -> None:
    world.ensure(["weimi1002"])
    room = world.rooms.create(SONG, [BOT, "wxid_weimi1002"], "两个助手")
    said = world.chats.say(SONG, room.id, "大家好")
    mine, theirs = (world.chats.wire_id(name, said) for name in (ACCOUNT, "weimi1002"))
    assert (await client("MessagePayload", id=mine)).room_id == room.id
    with pytest.raises(GRPCError, match="没有这条消息"):
        await client("MessagePayload", id=theirs)


async def test_rate_limits_are_separate_per_action(client: Client, world: World, clock: Clock) -> None:
    world.limits.set("message", 1, 60)
    world.limits.set("room_create", 0)
    await client("MessageSendText", conversation_id=SONG, text="一")
    with pytest.raises(GRPCError, match="操作过于频繁"):
        await client("MessageSendText", conversation_id=ZHIDUO, text="二")
    with pytest.raises(GRPCError, match="操作过于频繁"):
        await client("RoomCreate", contact_ids=[SONG, ZHIDUO], topic="x")
    assert (await client("ContactPayload", id=SONG)).name == "宋公明"
    clock.now += 60
    await client("MessageSendText", conversation_id=ZHIDUO, text="二")
    assert world.rooms.of(BOT) == []
