"""The gateway over gRPC: authentication, event stream, calls."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from protocol import puppet_pb2 as pb
from sandbox.gateway.server import PuppetServer
from sandbox.world.world import SONG, WENLONG, XUANFENG, ZHIDUO, World
from tests.sandbox.client import TOKEN, Client, until
from tests.sandbox.conftest import ACCOUNT, BOT, Clock

GONE = (StreamTerminatedError, ConnectionError, EOFError)


async def test_token_is_accepted_in_metadata_or_authority(server: PuppetServer) -> None:
    for client in (Client(server.port), Client(server.port, token="", authority=TOKEN)):
        assert (await client("Version")).version
        client.close()


@pytest.mark.parametrize(("token", "authority"), [("wrong", ""), ("wrong", TOKEN), ("", "wrong"), ("", "")])
async def test_missing_or_wrong_token_is_rejected(server: PuppetServer, token: str, authority: str) -> None:
    client = Client(server.port, token=token, authority=authority)
    with pytest.raises(GRPCError) as refused:
        await client("Version")
    assert refused.value.status is Status.UNAUTHENTICATED
    assert TOKEN not in str(refused.value)
    with pytest.raises(GRPCError) as refused:
        async with client.events() as events:
            await events.next()
    assert refused.value.status is Status.UNAUTHENTICATED
    assert not server.listening
    client.close()


async def test_malformed_authorization_is_rejected(server: PuppetServer) -> None:
    client = Client(server.port, token="")
    for metadata in ({"authorization": f"Bearer {TOKEN}"}, {"x-authority": TOKEN}):
        client.metadata = metadata
        with pytest.raises(GRPCError) as refused:
            await client("Version")
        assert refused.value.status is Status.UNAUTHENTICATED
    client.close()


async def test_stream_starts_with_heartbeat_login_ready(client: Client) -> None:
    async with client.events() as events:
        assert [await events.next() for _ in range(3)] == [
            ("heartbeat", {"data": "Wechaty Puppet gRPC stream connect successfully"}),
            ("login", {"contactId": BOT}),
            ("ready", {"data": "ready"}),
        ]


async def test_heartbeats_are_sent_while_idle(world: World) -> None:
    server = PuppetServer(world, ACCOUNT, TOKEN, heartbeat=0.05)
    client = Client(await server.start())
    async with client.events() as events:
        await events.ready()
        assert [(await events.next())[0] for _ in range(2)] == ["heartbeat", "heartbeat"]
    client.close()
    await server.stop()


async def test_second_subscriber_is_rejected(server: PuppetServer, client: Client, world: World) -> None:
    second = Client(server.port)
    async with client.events() as events:
        await events.ready()
        with pytest.raises(GRPCError) as refused:
            async with second.events() as others:
                await others.next()
        assert refused.value.status is Status.ALREADY_EXISTS
        world.chats.say(SONG, BOT, "还在吗")
        assert "messageId" in await events.payload("message")
    second.close()


async def test_broken_stream_can_be_reopened(server: PuppetServer, client: Client) -> None:
    async with client.events() as events:
        await events.ready()
    await until(lambda: not server.listening)
    rude = Client(server.port)
    with contextlib.suppress(*GONE):
        async with rude.events() as events:
            await events.ready()
            rude.close()
            await until(lambda: not server.listening)
    async with client.events() as events:
        await events.ready()


async def test_stop_ends_the_stream_and_it_can_be_reopened(client: Client) -> None:
    async with client.events() as events:
        await events.ready()
        await client("Stop")
        with pytest.raises(EOFError):
            await events.next()
    await client("Start")
    async with client.events() as events:
        await events.ready()


async def test_calls_are_rejected_while_logged_out(client: Client, world: World) -> None:
    async with client.events() as events:
        await events.ready()
        await client("Logout")
        assert (await events.payload("logout"))["contactId"] == BOT
        assert (await events.payload("scan"))["status"] == 2
        with pytest.raises(GRPCError, match="not logged in"):
            await client("ContactList")
        world.chats.say(SONG, BOT, "没人听见")
        world.accounts.login(ACCOUNT)
        assert [(await events.next())[0] for _ in range(2)] == ["login", "ready"]
        assert BOT in (await client("ContactList")).ids


async def test_stream_starts_with_scan_while_logged_out(client: Client, world: World) -> None:
    world.accounts.logout(ACCOUNT)
    world.accounts.logout(ACCOUNT)
    async with client.events() as events:
        assert [(await events.next())[0] for _ in range(2)] == ["heartbeat", "scan"]


async def test_ding_and_dirty_are_returned_as_events(client: Client) -> None:
    async with client.events() as events:
        await events.ready()
        await client("Ding", data="hello")
        assert await events.payload("dong") == {"data": "hello"}
        await client("DirtyPayload", type=2, id=SONG)
        assert await events.payload("dirty") == {"payloadType": 2, "payloadId": SONG}


async def test_unknown_calls_are_unimplemented(client: Client) -> None:
    with pytest.raises(GRPCError) as refused:
        await client("ContactPhone", contact_id=SONG)
    assert refused.value.status is Status.UNIMPLEMENTED


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


async def test_two_accounts_share_only_the_world(world: World, server: PuppetServer, client: Client) -> None:
    world.ensure(["weimi1002"])
    other = PuppetServer(world, "weimi1002", "insecure_other")
    stranger = Client(await other.start(), token="insecure_other")
    async with client.events() as mine, stranger.events() as theirs:
        await mine.ready()
        await theirs.ready()
        world.chats.say(SONG, "wxid_weimi1002", "给二号")
        told = await theirs.payload("message")
        with pytest.raises(GRPCError, match="没有这条消息"):
            await client("MessagePayload", id=told["messageId"])
        world.chats.say(SONG, BOT, "给一号")
        mine_told = await mine.payload("message")
        assert (await client("MessagePayload", id=mine_told["messageId"])).text == "给一号"
    stranger.close()
    await other.stop()


async def test_non_loopback_or_missing_token_is_rejected(world: World) -> None:
    with pytest.raises(ValueError, match="loopback"):
        PuppetServer(world, ACCOUNT, TOKEN, host="0.0.0.0")
    with pytest.raises(ValueError, match="token"):
        PuppetServer(world, ACCOUNT, "")


async def test_message_above_four_megabytes_is_rejected(client: Client) -> None:
    with pytest.raises(GRPCError) as refused:
        await client("MessageSendText", conversation_id=SONG, text="x" * (4 * 1024 * 1024))
    assert refused.value.status is Status.RESOURCE_EXHAUSTED


async def test_raw_event_is_sent_unchanged(server: PuppetServer, client: Client) -> None:
    async with client.events() as events:
        await events.ready()
        server.send_raw(pb.EventResponse(type=pb.EVENT_LOGOUT, payload="{}"))
        assert await events.next() == ("logout", {})


async def test_trace_contains_events_and_calls(client: Client, world: World) -> None:
    async with client.events() as events:
        await events.ready()
        world.chats.say(SONG, BOT, "你好")
        await events.payload("message")
        await client("ContactPayload", id=SONG)
        with pytest.raises(GRPCError):
            await client("ContactPayload", id="wxid_nobody")
    trace = [(item["what"], item["name"], item["outcome"]) for item in world.trace.of(ACCOUNT)]
    assert trace[-3:] == [
        ("event", "message", "told"),
        ("call", "ContactPayload", "ok"),
        ("call", "ContactPayload", "没有这个人：wxid_nobody"),
    ]


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
