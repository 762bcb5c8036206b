"""Tests of the gateway fixture: the official protocol and WeChat's rules."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from protocol import puppet_pb2 as pb
from tests.official import ControlError, OfficialGateway, Start, ca_certificate, official, requires_node
from tests.official_client import Client, self_signed, tls_context
from tests.official_fixtures import client, gateway

__all__ = ["client", "gateway"]


__all__ = ["official"]


pytestmark = pytest.mark.gateway


async def test_text_is_received_and_sent(gateway: OfficialGateway, client: Client) -> None:
    async with client.events() as next_of:
        assert json.loads(await next_of(pb.EVENT_LOGIN)) == {"contactId": "wxid_bot"}
        await next_of(pb.EVENT_READY)
        await gateway.say("甲", "你好")
        received = json.loads(await next_of(pb.EVENT_MESSAGE))["messageId"]
        message = await client.call("MessagePayload", id=received)
        assert (message.talker_id, message.listener_id, message.text, message.type) == ("甲", "wxid_bot", "你好", 7)
        answer = await client.call("MessageSendText", conversation_id="甲", text="您好")
        assert json.loads(await next_of(pb.EVENT_MESSAGE)) == {"messageId": answer.id}
    (sent,) = await gateway.sent("甲")
    assert (sent["id"], sent["text"], sent["delivered"]) == (answer.id, "您好", True)


async def test_wrong_token_is_unauthenticated(gateway: OfficialGateway) -> None:
    client = Client(gateway.port, "insecure_other", tls_context(ca_certificate()))
    with pytest.raises(GRPCError) as caught:
        await client.call("ContactList")
    assert caught.value.status is Status.UNAUTHENTICATED
    client.close()


async def test_plaintext_and_tls_gateways(official: Start) -> None:
    plain, secure = await official(tls=False), await official()
    client = Client.of(plain)
    assert list((await client.call("ContactList")).ids) == ["wxid_bot"]
    client.close()
    client = Client(secure.port, secure.token)
    with pytest.raises((StreamTerminatedError, ConnectionError)):
        await client.call("ContactList")
    client.close()


async def test_gateway_presents_its_own_certificate(official: Start) -> None:
    certificate, key = self_signed("wx.example")
    names = "WECHATY_PUPPET_SERVICE_TLS_SERVER_CERT", "WECHATY_PUPPET_SERVICE_TLS_SERVER_KEY"
    gateway = await official(env=dict(zip(names, (certificate, key), strict=True)))
    client = Client(gateway.port, gateway.token, tls_context(certificate), "wx.example")
    await client.call("Version")
    client.close()
    client = Client.of(gateway)
    with pytest.raises(ssl.SSLCertVerificationError):
        await client.call("Version")
    client.close()


async def test_group_needs_three_and_its_topic_changes(gateway: OfficialGateway, client: Client) -> None:
    with pytest.raises(GRPCError, match="三个人"):
        await client.call("RoomCreate", contact_ids=["甲", "甲"], topic="群")
    async with client.events() as next_of:
        room = (await client.call("RoomCreate", contact_ids=["甲", "乙"], topic="群")).id
        assert json.loads(await next_of(pb.EVENT_ROOM_JOIN))["inviteeIdList"] == ["甲", "乙"]
        await client.call("RoomAdd", id=room, contact_id="丙")
        assert json.loads(await next_of(pb.EVENT_ROOM_JOIN))["inviteeIdList"] == ["丙"]
        assert list((await client.call("RoomMemberList", id=room)).member_ids) == ["wxid_bot", "甲", "乙", "丙"]
        await client.call("RoomTopic", id=room, topic="新名")
        changed = json.loads(await next_of(pb.EVENT_ROOM_TOPIC))
        assert (changed["oldTopic"], changed["newTopic"]) == ("群", "新名")
        assert (await client.call("RoomPayload", id=room)).topic == "新名"


async def _room(gateway: OfficialGateway, size: int, **fields: Any) -> str:
    await gateway.setup(contacts=size)
    await gateway.room("big@chatroom", "大群", ["wxid_bot", *(f"c{i}" for i in range(size - 1))], **fields)
    return "big@chatroom"


async def test_member_is_added_below_forty_and_invited_above(gateway: OfficialGateway, client: Client) -> None:
    room = await _room(gateway, 39)
    await client.call("RoomAdd", id=room, contact_id="甲")
    assert "甲" in (await client.call("RoomPayload", id=room)).member_ids
    await client.call("RoomAdd", id=room, contact_id="乙")
    assert "乙" not in (await client.call("RoomPayload", id=room)).member_ids
    await gateway.wait("invitations", roomId=room, contactId="乙", tapped=False)
    async with client.events() as next_of:
        await gateway.tap(room, "乙")
        joined = json.loads(await next_of(pb.EVENT_ROOM_JOIN))
        assert (joined["inviteeIdList"], joined["inviterId"]) == (["乙"], "wxid_bot")
    assert "乙" in (await client.call("RoomPayload", id=room)).member_ids
    with pytest.raises(ControlError, match="no invitation"):
        await gateway.tap(room, "乙")


async def test_unauthorized_group_calls_are_rejected(gateway: OfficialGateway, client: Client) -> None:
    await gateway.contact("生人", friend=False)
    room = await _room(gateway, 5, owner="c0", confirm=True)
    for call, fields, sentence in (
        ("RoomAdd", {"contact_id": "甲"}, "群主已启用群聊邀请确认"),
        ("RoomAdd", {"contact_id": "生人"}, "不是你的好友"),
        ("RoomDel", {"contact_id": "c1"}, "没有权限"),
        ("RoomAnnounce", {"text": "公告"}, "没有权限"),
    ):
        with pytest.raises(GRPCError, match=sentence):
            await client.call(call, id=room, **fields)
    await gateway.room(room, owner="wxid_bot", capacity=5)
    with pytest.raises(GRPCError, match="人数已达上限"):
        await client.call("RoomAdd", id=room, contact_id="甲")
    await client.call("RoomDel", id=room, contact_id="c1")
    await client.call("RoomAnnounce", id=room, text="公告")
    assert (await client.call("RoomAnnounce", id=room)).text == "公告"
    assert "c1" not in (await client.call("RoomPayload", id=room)).member_ids


async def test_friend_request_is_accepted_once(gateway: OfficialGateway, client: Client) -> None:
    async with client.events() as next_of:
        asked = await gateway.friend_request("丁", "我是丁")
        assert json.loads(await next_of(pb.EVENT_FRIENDSHIP)) == {"friendshipId": asked}
        request = await client.call("FriendshipPayload", id=asked)
        assert (request.contact_id, request.hello, request.type) == ("丁", "我是丁", 2)
        assert not (await client.call("ContactPayload", id="丁")).friend
        await client.call("FriendshipAccept", id=asked)
        confirmed = json.loads(await next_of(pb.EVENT_FRIENDSHIP))["friendshipId"]
        assert (await client.call("FriendshipPayload", id=confirmed)).type == 1
        assert (await client.call("ContactPayload", id="丁")).friend
        await client.call("FriendshipAccept", id=asked)
    assert len(await gateway.table("friendships")) == 2


async def test_alias_is_set_and_cleared(client: Client) -> None:
    await client.call("ContactAlias", id="甲", alias="老甲")
    assert (await client.call("ContactPayload", id="甲")).alias == "老甲"
    await client.call("ContactAlias", id="甲", alias="")
    assert (await client.call("ContactAlias", id="甲")).alias == ""


async def test_every_message_kind_is_received(gateway: OfficialGateway, client: Client) -> None:
    data = b"x" * 30_000
    file = {"name": "a.txt", "base64": base64.b64encode(data).decode()}
    room = await _room(gateway, 3)
    told = await gateway.say("c0", "@微秘\u2005在吗", room=room, mentions=["wxid_bot"])
    assert list((await client.call("MessagePayload", id=told)).mention_ids) == ["wxid_bot"]
    link = await gateway.say("甲", kind="url", url={"title": "题", "url": "https://example.com/"})
    assert (await client.call("MessageUrl", id=link)).url_link.title == "题"
    mini = await gateway.say("甲", kind="mini_program", mini={"title": "小程序", "appid": "wx1"})
    assert (await client.call("MessageMiniProgram", id=mini)).mini_program.appid == "wx1"
    card = await gateway.say("甲", kind="card", card="乙")
    assert (await client.call("MessageContact", id=card)).id == "乙"
    image = await gateway.say("甲", kind="image", file={"name": "p.png", "url": "https://example.com/p.png"})
    assert json.loads((await client.call("MessageImage", id=image, type=3)).file_box)["url"].endswith("p.png")
    big = json.loads((await client.call("MessageFile", id=await gateway.say("甲", kind="file", file=file))).file_box)
    assert (big["type"], b"".join(await client.download(big["uuid"]))) == (7, data)
    taken_back = await client.call("MessagePayload", id=await gateway.recall(told))
    assert (taken_back.type, taken_back.text, taken_back.room_id) == (13, told, room)


async def test_sent_messages_are_recorded(gateway: OfficialGateway, client: Client) -> None:
    data = b"\0picture"
    room = await _room(gateway, 3)
    box = json.dumps({"type": 1, "name": "p.png", "base64": base64.b64encode(data).decode()})
    await client.call("MessageSendFile", conversation_id="甲", file_box=box)
    await client.call("MessageSendText", conversation_id=room, text="@联系人0 好", mentional_ids=["c0"])
    await client.call(
        "MessageSendUrl", conversation_id=room, url_link=pb.UrlLinkPayload(title="题", url="https://a.b/")
    )
    (picture,), (text, link) = await gateway.sent("甲"), await gateway.sent(room)
    assert (picture["name"], picture["sha256"]) == ("p.png", hashlib.sha256(data).hexdigest())
    assert (text["mentions"], link["url"]["title"]) == (["c0"], "题")
    await gateway.unfriend("乙")
    await client.call("MessageSendText", conversation_id="乙", text="还在吗")
    assert [row["delivered"] for row in await gateway.sent("乙")] == [False]


async def test_any_event_can_be_emitted(gateway: OfficialGateway, client: Client) -> None:
    async with client.events() as next_of:
        await gateway.emit_raw("room-join", {"roomId": None})
        assert json.loads(await next_of(pb.EVENT_ROOM_JOIN)) == {"roomId": None}
        await gateway.emit_raw(99, text="{no json")
        assert await next_of(99) == "{no json"
        twice = await gateway.say("甲", "二", times=2, delay=50)
        assert [json.loads(await next_of(pb.EVENT_MESSAGE))["messageId"] for _ in range(2)] == [twice, twice]
        await gateway.logout()
        await next_of(pb.EVENT_LOGOUT)
        with pytest.raises(GRPCError, match="not logged in"):
            await client.call("MessageSendText", conversation_id="甲", text="?")
        await gateway.login()
        await next_of(pb.EVENT_LOGIN)
        await gateway.end_stream()
        with pytest.raises(EOFError):
            await next_of(pb.EVENT_MESSAGE)


async def test_burst_over_many_contacts_arrives_in_order(official: Start, tmp_path: Path) -> None:
    gateway = await official(state=tmp_path / "state.jsonl")
    await gateway.setup(contacts=5000, groups=300)
    client = Client.of(gateway)
    assert len((await client.call("ContactList")).ids) == 5001
    assert len((await client.call("RoomList")).ids) == 300
    async with client.events() as next_of:
        said = await gateway.burst(1000)
        assert [json.loads(await next_of(pb.EVENT_MESSAGE))["messageId"] for _ in range(1000)] == said
    client.close()


def test_missing_node_skips_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="node"):
        requires_node()
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="node"):
        requires_node()
