"""Calls with the official gateway: successes, rejections, and calls without effect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from errors import (
    WeChatNeedsConfirmation,
    WeChatNotDone,
    WeChatRefused,
    WeChatTooFast,
    WeChatUnknown,
)
from tests.official import OfficialGateway
from tests.wechat.official_account import ROOM, bot, gateway, recorded
from tests.wechat.recording_listener import RecordedAccount
from wechat.assistant import Assistant
from wechat.events import FriendAdded, RoomInvited

__all__ = ["bot", "gateway", "recorded"]


pytestmark = pytest.mark.gateway


async def test_group_is_created_or_the_failure_reported(bot: Assistant, gateway: OfficialGateway) -> None:
    id = await bot.create_room(["wxid_song", "wxid_zhi"], "新群")
    assert (await bot.room(id, fresh=True)).member_ids == {bot.self_id, "wxid_song", "wxid_zhi"}
    assert [room.topic for room in bot.directory.room_by_topic("新群")] == ["新群"]
    with pytest.raises(WeChatRefused):
        await bot.create_room(["wxid_nobody", "wxid_zhi"], "假群")
    await gateway.fault("RoomCreate", "throw", text="操作过于频繁，请稍后再试", times=1)
    with pytest.raises(WeChatTooFast):
        await bot.create_room(["wxid_song", "wxid_zhi"], "快群")
    await gateway.fault("RoomCreate", "ignore", times=1)
    with pytest.raises((WeChatNotDone, WeChatRefused)):
        await bot.create_room(["wxid_song", "wxid_zhi"], "无群")


async def test_group_created_with_lost_response_is_found(bot: Assistant, gateway: OfficialGateway) -> None:
    await gateway.fault("RoomCreate", "lose", times=1)
    call = asyncio.create_task(bot._puppet_client.room_create(["wxid_song", "wxid_zhi"], "失而复得", timeout=2.0))
    await gateway.wait_calls("roomCreate")
    with pytest.raises(WeChatUnknown):
        await call
    await bot.read_new_rooms()
    assert len(bot.directory.room_by_topic("失而复得")) == 1
    assert await bot.read_new_rooms() == []


async def test_topic_is_set(bot: Assistant, gateway: OfficialGateway) -> None:
    for topic in ("聚义厅", "聚义厅", "忠义堂"):
        await bot.set_topic(ROOM, topic)
        assert (await gateway.rooms())[0]["topic"] == topic
        assert [room.id for room in bot.directory.room_by_topic(topic)] == [ROOM]
    await gateway.fault("RoomTopic", "ignore")
    with pytest.raises(WeChatNotDone):
        await bot.set_topic(ROOM, "没有改成")
    assert bot.directory.rooms[ROOM].topic == "忠义堂"


async def test_announcement_is_set(bot: Assistant, gateway: OfficialGateway) -> None:
    for text in ("明日操练", "明日操练", ""):
        await bot.set_announcement(ROOM, text)
        assert (await gateway.rooms())[0]["announce"] == text
        assert await bot.announcement(ROOM) == text
    await gateway.fault("RoomAnnounce", "ignore", times=1)
    assert await bot.set_announcement(ROOM, "看不到") is False, "none is shown: accepted, and not confirmed"
    assert await bot.set_announcement(ROOM, "一 & 二") is True
    await gateway.fault("RoomAnnounce", "ignore", times=1)
    with pytest.raises(WeChatNotDone):
        await bot.set_announcement(ROOM, "没有贴成")
    await gateway.room(ROOM, owner="wxid_song")
    with pytest.raises(WeChatRefused):
        await bot.set_announcement(ROOM, "不是群主")


async def test_alias_is_set_changed_and_cleared(bot: Assistant, gateway: OfficialGateway) -> None:
    for alias in ("及时雨", "及时雨", "宋大哥", ""):
        await bot.set_alias("wxid_song", alias)
        assert {c["alias"] for c in await gateway.table("contacts") if c["id"] == "wxid_song"} == {alias}
        assert bot.directory.contacts["wxid_song"].alias == alias
    assert bot.directory.find("及时雨") == []
    await gateway.fault("ContactAlias", "ignore")
    with pytest.raises(WeChatNotDone):
        await bot.set_alias("wxid_song", "没有备注成")


async def test_add_and_remove_member(bot: Assistant, gateway: OfficialGateway) -> None:
    assert not await bot.wait_member(ROOM, "wxid_hei", 0.2)
    await bot.add_member(ROOM, "wxid_hei")
    assert await bot.wait_member(ROOM, "wxid_hei", 5)
    await bot.remove_member(ROOM, "wxid_hei")
    assert "wxid_hei" not in bot.directory.rooms[ROOM].member_ids
    assert not await bot.wait_member(ROOM, "wxid_hei", 0.2)
    await gateway.fault("RoomDel", "ignore")
    with pytest.raises(WeChatNotDone):
        await bot.remove_member(ROOM, "wxid_song")
    await gateway.fault("RoomAdd", "throw", text="-2028: 需要群主确认", times=1)
    with pytest.raises(WeChatNeedsConfirmation):
        await bot.add_member(ROOM, "wxid_hei")


async def test_member_joining_without_event_is_seen(bot: Assistant, gateway: OfficialGateway) -> None:
    waiting = asyncio.create_task(bot.wait_member(ROOM, "wxid_hei", 10))
    await gateway.join(ROOM, "wxid_hei", emit=False)
    assert await waiting


async def test_own_qr_code_and_group_aliases(bot: Assistant, gateway: OfficialGateway) -> None:
    assert bot.self_id in await bot.self_qr_code()
    await gateway.room(ROOM, aliases={"wxid_song": "寨主"})
    names = await bot.names_in(ROOM)
    assert names["寨主"] == {"wxid_song"}
    assert names["宋公明"] == {"wxid_song"}


async def test_friend_request_is_accepted(bot: Assistant, recorded: RecordedAccount, gateway: OfficialGateway) -> None:
    await gateway.contact("wxid_jiu", "九纹龙", friend=False)
    await gateway.friend_request("wxid_jiu", "我是史进")
    request = await recorded.resolved("friendship")
    assert (request.contact_id, request.hello, request.name) == ("wxid_jiu", "我是史进", "九纹龙")
    assert bot.directory.find("九纹龙", friends=True) == []
    await bot.accept_friend(request.friendship_id)
    added = await recorded.resolved("friendship", 2)
    assert isinstance(added, FriendAdded)
    assert [c.id for c in bot.directory.find("九纹龙", friends=True)] == ["wxid_jiu"]
    await bot.accept_friend(request.friendship_id)  # repeating has no effect
    with pytest.raises(WeChatRefused):
        await bot.accept_friend("fs_nothing")


async def test_invitation_of_the_account_is_accepted(recorded: RecordedAccount, gateway: OfficialGateway) -> None:
    await gateway.room("r2@chatroom", "二龙山", ["wxid_song"], owner="wxid_song")
    await gateway.invite_bot("r2@chatroom", "wxid_song")
    event = await recorded.resolved("room-invite")
    assert isinstance(event, RoomInvited)
    assert (event.inviter_id, event.topic) == ("wxid_song", "二龙山")


Changing = Callable[[Assistant], Awaitable[Any]]


CHANGES: dict[str, Changing] = {
    "MessageSendText": lambda bot: bot.send_text("wxid_song", "一"),
    "RoomAdd": lambda bot: bot.add_member(ROOM, "wxid_hei"),
    "RoomTopic": lambda bot: bot.set_topic(ROOM, "二"),
    "FriendshipAccept": lambda bot: bot.accept_friend("fs"),
}


@pytest.mark.parametrize("method", CHANGES)
async def test_lost_connection_after_sending_is_unknown(bot: Assistant, gateway: OfficialGateway, method: str) -> None:
    await gateway.fault(method, "hang")
    call = asyncio.ensure_future(CHANGES[method](bot))
    await gateway.wait_calls(method[0].lower() + method[1:], 1)
    await gateway.kill()
    with pytest.raises(WeChatUnknown):
        await call


async def test_timeout_is_unknown(bot: Assistant, gateway: OfficialGateway) -> None:
    await gateway.fault("MessageSendText", "lose", times=1)
    with pytest.raises(WeChatUnknown):
        await bot._puppet_client.wire.call("MessageSendText", _text("wxid_song", "到了没有"), 2.0)  # type: ignore[union-attr]
    assert len(await gateway.wait_sent(1)) == 1


def _text(to: str, text: str) -> Any:
    from protocol import puppet_pb2 as pb

    return pb.MessageSendTextRequest(conversation_id=to, text=text)


async def test_invitation_is_read_and_accepted(
    bot: Assistant, recorded: RecordedAccount, gateway: OfficialGateway
) -> None:
    await gateway.contact("wxid_host", "主人", friend=True)
    await gateway.room("host@chatroom", "主人的群", members=["wxid_host", "wxid_song"])
    invitation = await gateway.invite_bot("host@chatroom", "wxid_host")
    event = await recorded.resolved("room-invite")
    assert (event.inviter_id, event.invitation_id, event.topic) == ("wxid_host", invitation, "主人的群")
    await bot.accept_invitation(invitation)
    await recorded.resolved("room-join")
    assert "wxid_bot" in (await bot.room("host@chatroom", fresh=True)).member_ids
