"""All calls with the official gateway: successes, rejections, and calls without effect."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from errors import (
    WeChatNeedsConfirmation,
    WeChatNotDone,
    WeChatRefused,
    WeChatTooFast,
    WeChatUnknown,
)
from tests.official import OfficialGateway, Start
from tests.wechat.conftest import Connect
from tests.wechat.recording_listener import RecordedAccount
from wechat.assistant import Assistant
from wechat.entities import Link, Media, MiniProgram
from wechat.events import FriendAdded, RoomInvited

pytestmark = pytest.mark.gateway
ROOM = "r1@chatroom"


@pytest_asyncio.fixture
async def gateway(official: Start) -> OfficialGateway:
    gateway = await official()
    for id, name in (("wxid_song", "宋公明"), ("wxid_zhi", "智多星"), ("wxid_hei", "黑旋风")):
        await gateway.contact(id, name)
    own = (await gateway.status())["self"]
    await gateway.room(ROOM, "梁山", [own, "wxid_song", "wxid_zhi"], owner=own)
    return gateway


@pytest_asyncio.fixture
async def recorded(gateway: OfficialGateway, connect: Connect) -> RecordedAccount:
    recorded = await connect(gateway.endpoint, gateway.token, tls=True, media_hosts=["127.0.0.1"])
    await recorded.online()
    return recorded


@pytest.fixture
def bot(recorded: RecordedAccount) -> Assistant:
    return recorded.assistant


async def test_create_group(bot: Assistant, gateway: OfficialGateway) -> None:
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
    call = asyncio.create_task(bot._puppet_client.room_create(["wxid_song", "wxid_zhi"], "失而复得", timeout=0.5))
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


async def test_texts_cards_links_and_mini_programs_are_sent(bot: Assistant, gateway: OfficialGateway) -> None:
    id = await bot.send_text(ROOM, "@宋公明 操练", ["wxid_song"])
    await bot.send_contact("wxid_song", "wxid_zhi")
    await bot.send_link("wxid_song", Link("标题", "https://example.com/一", "描述", "https://example.com/1.png"))
    await bot.send_mini_program("wxid_song", MiniProgram("wx1", "小程序", "gh_1", "pages/a", "描述"))
    sent = await gateway.sent()
    assert sent[0]["id"] == id
    assert sent[0]["mentions"] == ["wxid_song"]
    assert sent[1]["card"] == "wxid_zhi"
    assert sent[2]["url"]["title"] == "标题"
    assert sent[2]["url"]["thumbnailUrl"] == "https://example.com/1.png"
    assert sent[3]["mini"]["pagePath"] == "pages/a"
    with pytest.raises(WeChatRefused):
        await bot.send_text("wxid_nobody", "有人吗")


async def test_files_of_every_size_are_sent(bot: Assistant, gateway: OfficialGateway) -> None:
    for count, size in enumerate((1, 30_000, 2 * 1024 * 1024, 2 * 1024 * 1024 + 1, 6_000_000), 1):
        data = os.urandom(size)
        await bot.send_media("wxid_song", Media("图.png", data))
        sent = (await gateway.wait_sent(count))[-1]
        assert (sent["name"], sent["sha256"]) == ("图.png", hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("size", [100, 300_000])
async def test_files_of_every_box_type_are_received(
    bot: Assistant, recorded: RecordedAccount, gateway: OfficialGateway, tmp_path: Path, size: int
) -> None:
    data = os.urandom(size)
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    text = base64.b64encode(data).decode()
    async with _served(data) as url:
        shapes = {"base64": text, "buffer": text, "path": str(path), "stream": str(path), "url": url}
        for number, (shape, value) in enumerate(shapes.items(), 1):
            await gateway.say("wxid_song", kind="image", file={"name": "a.bin", shape: value})
            message = await recorded.resolved("message", number)
            if shape == "buffer" and size < 20_000:  # the gateway cannot encode such a box
                with pytest.raises(WeChatRefused):
                    await bot.media(message.id)
            else:
                assert await bot.media(message.id) == Media("a.bin", data)
                assert (await bot.image(message.id)).data == data


async def test_picture_equals_the_sent_file(
    bot: Assistant, recorded: RecordedAccount, gateway: OfficialGateway
) -> None:
    """PuppetMock invents the result of MessageImage; PadLocal has pictures only there."""
    sent, made_up = ({"name": "a.png", "base64": base64.b64encode(data).decode()} for data in (b"sent", b"made up"))
    await gateway.say("wxid_song", kind="image", file=sent, image=made_up)
    assert (await bot.image((await recorded.resolved("message", 1)).id)).data == b"sent"
    await gateway.say("wxid_song", kind="image", image=made_up)
    assert (await bot.image((await recorded.resolved("message", 2)).id)).data == b"made up"


class _served:
    """Context of a web server with one file."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aenter__(self) -> str:
        app = web.Application()
        app.router.add_get("/a.bin", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/a.bin"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        return web.Response(body=self._data)


async def test_qr_code_box_is_received_as_a_picture(
    bot: Assistant, recorded: RecordedAccount, gateway: OfficialGateway
) -> None:
    await gateway.say("wxid_song", kind="image", file={"name": "q.png", "qrcode": "https://example.com"})
    media = await bot.media((await recorded.resolved("message")).id)
    assert media.data.startswith(b"\x89PNG")


async def test_picture_falls_back_to_its_file(
    bot: Assistant, recorded: RecordedAccount, gateway: OfficialGateway
) -> None:
    """Some gateways return a placeholder if they have no pictures; some have a picture but no file."""
    await gateway.set(pictures=False)
    file = {"name": "a.png", "base64": base64.b64encode(b"the picture").decode()}
    await gateway.say("wxid_song", kind="image", file=file)
    message = await recorded.resolved("message")
    assert await bot.image(message.id) == Media("a.png", b"the picture")
    await gateway.set(pictures=True)
    await gateway.fault("MessageFile", "throw", text="no filebox cache")
    assert await bot.image(message.id) == Media("a.png", b"the picture")


async def test_links_and_cards_are_received(
    bot: Assistant, recorded: RecordedAccount, gateway: OfficialGateway
) -> None:
    url = {
        "title": "标题",
        "url": "https://example.com",
        "description": "描述",
        "thumbnailUrl": "https://example.com/t",
    }
    await gateway.say("wxid_song", kind="url", url=url)
    await gateway.say("wxid_song", kind="card", card="wxid_zhi")
    link, card = await recorded.resolved("message"), await recorded.resolved("message", 2)
    assert await bot.link(link.id) == Link("标题", "https://example.com", "描述", "https://example.com/t")
    assert await bot.card(card.id) == "wxid_zhi"
    for ask in (bot.link, bot.media, bot.image):
        with pytest.raises(WeChatRefused):
            await ask(card.id)


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
        await bot._puppet_client.wire.call("MessageSendText", _text("wxid_song", "到了没有"), 0.3)  # type: ignore[union-attr]
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
