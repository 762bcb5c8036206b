"""The calls of an account: what is sent, what is read from the answers, and when there is no connection."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

import wechat
from errors import WeChatNotDone, WeChatOffline
from protocol import CALLS
from protocol import puppet_pb2 as pb
from tests.wechat.scripted_wire import ME, ROOM, SONG, ScriptedAccount
from wechat.compat import PuppetService
from wechat.entities import Link, MiniProgram
from wechat.puppet import PatchedPuppet


async def test_calls_need_a_connection_and_a_login(account: ScriptedAccount) -> None:
    puppet: Any = account.puppet
    assert puppet.online_wire("MessageFile") is account.wire
    puppet.login_user_id = None
    with pytest.raises(WeChatOffline, match="not logged in"):
        await puppet.contact_list()
    assert puppet.online_wire("MessageFile") is account.wire
    puppet.login_user_id = ME
    puppet.detach()
    with pytest.raises(WeChatOffline, match="not connected"):
        await puppet.contact_list()
    with pytest.raises(WeChatOffline, match="not connected"):
        puppet.online_wire("MessageFile")
    assert account.wire.asked == []


async def test_connection_is_used_by_the_stub_of_the_sdk(account: ScriptedAccount) -> None:
    puppet: Any = account.puppet
    assert (puppet.wire, puppet.channel) == (account.wire, account.wire.channel)
    assert puppet._puppet_stub is not None
    puppet.detach()
    assert (puppet.wire, puppet.channel, puppet._puppet_stub, puppet.login_user_id) == (None, None, None, None)


async def test_start_and_stop_do_not_end_the_session_at_the_gateway(account: ScriptedAccount) -> None:
    await account.puppet.start()
    await account.puppet.stop()
    assert account.wire.asked == []
    assert account.puppet.login_user_id == ME


def test_no_call_is_made_by_a_method_of_the_sdk() -> None:
    """Its methods have no deadline, and their errors are not translated."""
    used = {
        name
        for file in Path(wechat.__file__).parent.glob("*.py")
        for name in re.findall(r"_puppet(?:_client)?\.(\w+)", file.read_text(encoding="utf-8"))
    }
    of_the_sdk = {name for name in used if callable(getattr(PuppetService, name, None))}
    assert of_the_sdk - vars(PatchedPuppet).keys() == set()
    assert {"room_quit", "message_payload"} <= of_the_sdk


async def test_ids_are_lists_of_texts(account: ScriptedAccount) -> None:
    account.answers["ContactList"] = CALLS["ContactList"].response(ids=["a", "b"])
    account.answers["RoomList"] = CALLS["RoomList"].response(ids=["r"])
    account.answers["RoomMemberList"] = pb.RoomMemberListResponse(member_ids=["c"])
    assert await account.puppet.contact_list() == ["a", "b"]
    assert await account.puppet.room_list() == ["r"]
    assert await account.puppet.room_members(ROOM) == ["c"]
    assert account.wire.asked[-1] == ("RoomMemberList", pb.Id(id=ROOM))


async def test_payload_is_dropped_from_the_cache_by_type_and_id(account: ScriptedAccount) -> None:
    await account.puppet.dirty_payload(pb.DIRTY_ROOM, ROOM)
    assert account.wire.asked == [("DirtyPayload", pb.DirtyPayloadRequest(type=pb.DIRTY_ROOM, id=ROOM))]


@pytest.mark.parametrize("value", ["新", "", None])
async def test_values_are_set_in_both_formats_and_read_without_one(account: ScriptedAccount, value: str | None) -> None:
    """Gateways before 1.0 read the wrapped field. Without a value the call reads."""
    await account.puppet.contact_alias(SONG, value)
    await account.puppet.room_topic(ROOM, value)
    await account.puppet.room_announce(ROOM, value)
    alias, topic, text = (request for _, request in account.wire.asked)
    assert account.wire.names == ["ContactAlias", "RoomTopic", "RoomAnnounce"]
    for request, plain, wrapped, id in (
        (alias, "alias", "alias_wrapped", SONG),
        (topic, "topic", "topic_wrapped", ROOM),
        (text, "text", "text_wrapped", ROOM),
    ):
        assert request.id == id
        assert request.HasField(plain) is request.HasField(wrapped) is (value is not None)
        assert getattr(request, plain) == getattr(request, wrapped).value == (value or "")


async def test_values_are_read_in_either_format(account: ScriptedAccount) -> None:
    account.answers |= {
        "ContactAlias": pb.ContactAliasResponse(alias="一"),
        "RoomTopic": pb.RoomTopicResponse(topic="二"),
        "RoomAnnounce": pb.RoomAnnounceResponse(text="三"),
    }
    puppet = account.puppet
    plain = [await puppet.contact_alias(SONG), await puppet.room_topic(ROOM), await puppet.room_announce(ROOM)]
    assert plain == ["一", "二", "三"]
    account.answers |= {
        "ContactAlias": pb.ContactAliasResponse(alias_wrapped=StringValue(value="四")),
        "RoomTopic": pb.RoomTopicResponse(topic_wrapped=StringValue(value="五")),
        "RoomAnnounce": pb.RoomAnnounceResponse(text_wrapped=StringValue(value="六")),
    }
    wrapped = [await puppet.contact_alias(SONG), await puppet.room_topic(ROOM), await puppet.room_announce(ROOM)]
    assert wrapped == ["四", "五", "六"]
    account.answers.clear()
    assert await puppet.room_announce(ROOM) == ""


async def test_created_group_has_an_id(account: ScriptedAccount) -> None:
    account.answers["RoomCreate"] = CALLS["RoomCreate"].response(id=ROOM)
    assert await account.puppet.room_create([SONG, "b"], "群", 7.0) == ROOM
    assert account.wire.asked == [("RoomCreate", pb.RoomCreateRequest(contact_ids=[SONG, "b"], topic="群"))]
    assert account.wire.timeouts == [7.0]
    account.answers.clear()
    with pytest.raises(WeChatNotDone, match="no group"):
        await account.puppet.room_create([SONG])
    assert account.wire.timeouts[-1] == 20.0, "creating a group takes longer than other calls"


async def test_people_are_named_in_group_calls(account: ScriptedAccount) -> None:
    await account.puppet.room_add(ROOM, SONG)
    await account.puppet.room_delete(ROOM, SONG)
    await account.puppet.room_quit(ROOM)
    await account.puppet.room_member_payload(ROOM, SONG)
    await account.puppet.room_invitation_accept("i1")
    await account.puppet.room_invitation_payload("i1")
    assert account.wire.asked == [
        ("RoomAdd", pb.RoomAddRequest(id=ROOM, contact_id=SONG)),
        ("RoomDel", pb.RoomDelRequest(id=ROOM, contact_id=SONG)),
        ("RoomQuit", pb.Id(id=ROOM)),
        ("RoomMemberPayload", pb.RoomMemberPayloadRequest(id=ROOM, member_id=SONG)),
        ("RoomInvitationAccept", pb.Id(id="i1")),
        ("RoomInvitationPayload", pb.RoomInvitationPayloadRequest(id="i1")),
    ]


async def test_account_and_friend_requests(account: ScriptedAccount) -> None:
    account.answers["ContactSelfQRCode"] = pb.ContactSelfQRCodeResponse(qrcode="https://u.example")
    assert await account.puppet.contact_self_qr_code() == "https://u.example"
    await account.puppet.friendship_accept("f1")
    await account.puppet.friendship_payload("f1")
    await account.puppet.log_out()
    assert account.wire.asked[1:] == [
        ("FriendshipAccept", pb.Id(id="f1")),
        ("FriendshipPayload", pb.FriendshipPayloadRequest(id="f1")),
        ("Logout", pb.Empty()),
    ]


# ---- messages ----


async def test_message_id_is_read_in_either_format(account: ScriptedAccount) -> None:
    account.answers["MessageSendText"] = [
        pb.MessageSendResponse(id="m1"),
        pb.MessageSendResponse(id_wrapped=StringValue(value="m2")),
        pb.MessageSendResponse(),
    ]
    sent = [await account.puppet.message_send_text(ROOM, "你好", [SONG]) for _ in range(3)]
    assert sent == ["m1", "m2", ""]
    request = pb.MessageSendTextRequest(conversation_id=ROOM, text="你好", mentional_ids=[SONG])
    assert account.wire.asked[0] == ("MessageSendText", request)


async def test_files_and_cards_are_sent(account: ScriptedAccount) -> None:
    await account.puppet.message_send_box(ROOM, "{}", 33.0)
    await account.puppet.message_send_contact(ROOM, SONG)
    assert account.wire.asked == [
        ("MessageSendFile", pb.MessageSendFileRequest(conversation_id=ROOM, file_box="{}")),
        ("MessageSendContact", pb.MessageSendContactRequest(conversation_id=ROOM, contact_id=SONG)),
    ]
    assert account.wire.timeouts[0] == 33.0


async def test_link_is_sent_in_both_formats(account: ScriptedAccount) -> None:
    await account.puppet.message_send_link(ROOM, Link("标题", "http://a", "", "http://b"))
    request = account.wire.asked[0][1]
    assert request.conversation_id == ROOM
    assert request.url_link == pb.UrlLinkPayload(title="标题", url="http://a", thumbnail_url="http://b")
    assert "标题" in request.url_link_json, "not escaped: some gateways limit its size"
    assert json.loads(request.url_link_json) == {"title": "标题", "url": "http://a", "thumbnailUrl": "http://b"}


async def test_mini_program_is_sent_in_both_formats(account: ScriptedAccount) -> None:
    await account.puppet.message_send_program(ROOM, MiniProgram("wx1", "标题", "gh_1", "pages/a", "说明"))
    request = account.wire.asked[0][1]
    assert request.conversation_id == ROOM
    assert request.mini_program == pb.MiniProgramPayload(
        appid="wx1", title="标题", username="gh_1", page_path="pages/a", description="说明"
    )
    assert json.loads(request.mini_program_json) == {
        "appid": "wx1", "title": "标题", "username": "gh_1", "pagePath": "pages/a", "description": "说明",
    }  # fmt: skip


async def test_contents_of_messages_are_read_by_id(account: ScriptedAccount) -> None:
    account.answers |= {
        "MessageFile": pb.FileBoxResponse(file_box="file"),
        "MessageImage": pb.FileBoxResponse(file_box="image"),
        "MessageContact": CALLS["MessageContact"].response(id=SONG),
        "MessageLocation": pb.MessageLocationResponse(location=pb.LocationPayload(name="店")),
    }
    assert await account.puppet.message_box("m1") == "file"
    assert await account.puppet.message_image_box("m1", 2) == "image"
    assert await account.puppet.message_contact("m1") == SONG
    assert (await account.puppet.message_place("m1")).name == "店"
    await account.puppet.message_link("m1")
    await account.puppet.message_program("m1")
    assert account.wire.names[-2:] == ["MessageUrl", "MessageMiniProgram"]
    assert {request.id for _, request in account.wire.asked} == {"m1"}
    assert account.wire.asked[1][1] == pb.MessageImageRequest(id="m1", type=2)
    assert account.wire.timeouts[:2] == [60.0, 60.0], "files take longer than other answers"
