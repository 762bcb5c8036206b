"""Customer service over the official Wechaty gateway, and differences between gateways."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.official import OfficialGateway, Start, official  # noqa: F401 - a fixture
from tests.stories.conftest import until
from tests.stories.test_groups_on_official_gateway import ACCOUNT, GatewayEnvironment

pytestmark = pytest.mark.gateway
STAFF_ROOM = "staff@chatroom"
FALLBACK = "抱歉，我没听懂。回复“人工”转人工客服。"


@pytest.fixture
async def gateway(official: Start, tmp_path: Path) -> AsyncIterator[OfficialGateway]:  # noqa: F811
    """A gateway with a bot, a customer, and a staff member in the staff room."""
    gateway = await official(tls=False)
    await gateway.contact("wxid_xuan", "黑旋风")
    await gateway.contact("wxid_song", "宋公明")
    await gateway.contact("wxid_admin", "店长")
    me = (await gateway.status())["self"]
    await gateway.room(STAFF_ROOM, "客服值班群", [me, "wxid_song", "wxid_admin"], owner="wxid_admin")
    hours = {"days": "mon-sun", "from": "00:00", "to": "24:00"}
    env = GatewayEnvironment(gateway, tmp_path, False, handoff={"hours": hours})
    await env.bot.start()
    await until(lambda: env.bot.container.accounts.is_online(ACCOUNT), "online")
    yield gateway
    await env.bot.stop()


async def test_request_of_a_reported_friend_is_accepted_once(gateway: OfficialGateway) -> None:
    """A person who had deleted the assistant asks again; and some gateways report everybody as a friend."""
    await gateway.contact("wxid_wen", "九纹龙", friend=True)
    await gateway.friend_request("wxid_wen", "又是我", times=2)
    (greeting,) = await gateway.wait_sent(1, "wxid_wen")
    assert greeting["text"].startswith("您好，我是")
    await gateway.say("wxid_wen", "随便说点什么")
    assert [sent["text"] for sent in await gateway.wait_sent(2, "wxid_wen")][1:] == [FALLBACK]
    assert len(await gateway.calls("friendshipAccept")) == 1


async def test_pictures_and_links_are_relayed_unchanged(gateway: OfficialGateway) -> None:
    """In both directions; PuppetMock invents the picture that MessageImage returns."""
    pictures = [f"picture {n}".encode() for n in range(2)]
    boxes = [{"name": "a.png", "base64": base64.b64encode(data).decode()} for data in (*pictures, b"made up")]
    digests = [hashlib.sha256(data).hexdigest() for data in pictures]
    await gateway.say("wxid_xuan", "人工")
    await gateway.wait_sent(1, STAFF_ROOM)
    await gateway.say("wxid_xuan", kind="image", file=boxes[0], image=boxes[2])
    told, relayed = (await gateway.wait_sent(3, STAFF_ROOM))[1:]
    assert told["text"] == "【#1 黑旋风】[图片] a.png"
    assert relayed["sha256"] == digests[0]
    await gateway.say("wxid_song", "#1 请看", room=STAFF_ROOM)
    await gateway.say("wxid_song", kind="image", room=STAFF_ROOM, file=boxes[1], image=boxes[2])
    card = {"title": "说明书", "url": "https://shop.example/manual"}
    await gateway.say("wxid_song", kind="url", room=STAFF_ROOM, url=card)
    handoff, answer, picture, link = await gateway.wait_sent(4, "wxid_xuan")
    assert (handoff["text"][:2], answer["text"], picture["sha256"]) == ("正在", "请看", digests[1])
    assert (link["url"]["title"], link["url"]["url"]) == ("说明书", "https://shop.example/manual")


async def test_staff_may_address_the_assistant_by_any_of_its_names(gateway: OfficialGateway) -> None:
    """By its name in the staff room, too; a message to a colleague is not a command."""
    me = (await gateway.status())["self"]
    await gateway.room(STAFF_ROOM, aliases={me: "客服 小微"})
    await gateway.say("wxid_xuan", "人工")
    await gateway.wait_sent(1, STAFF_ROOM)
    await gateway.say("wxid_song", "@宋公明\u2005#1 你来", room=STAFF_ROOM, mentions=["wxid_song"])
    await gateway.say("wxid_song", "@客服 小微\u2005#1 一", room=STAFF_ROOM, mentions=[me])
    await gateway.say("wxid_song", "@客服 小微\u2005＃1\n二", room=STAFF_ROOM)
    await gateway.say("wxid_song", "@客服 小微 # 1，三 @四 #五", room=STAFF_ROOM)
    replies_to = await gateway.wait_sent(4, "wxid_xuan")
    assert [sent["text"] for sent in replies_to][1:] == ["一", "二", "三 @四 #五"]


async def test_locations_and_mini_programs_are_named(gateway: OfficialGateway) -> None:
    """By what WeChat provides; otherwise the kind is named."""
    await gateway.say("wxid_xuan", "人工")
    await gateway.wait_sent(1, STAFF_ROOM)
    place = {"name": "梁山泊", "address": "水泊路 1 号", "latitude": 35.8, "longitude": 116.1, "accuracy": 15}
    await gateway.say("wxid_xuan", "<msg><location/></msg>", kind="location", location=place)
    await gateway.say("wxid_xuan", "<msg/>", kind="mini_program", mini={"appid": "wx1", "title": "我的订单"})
    await gateway.say("wxid_xuan", "<msg/>", kind="location")
    await gateway.say("wxid_xuan", "<msg/>", kind="mini_program")
    await gateway.say("wxid_xuan", "<msg/>", kind="emoticon")
    shown = [sent["text"].removeprefix("【#1 黑旋风】") for sent in await gateway.wait_sent(6, STAFF_ROOM)][1:]
    assert shown == ["[位置] 梁山泊 水泊路 1 号", "[小程序] 我的订单", "[位置]", "[小程序]", "[表情]"]


async def test_recalled_messages_are_shown_to_staff(gateway: OfficialGateway) -> None:
    """Recalls before and after 人工 show the recalled text, if it is known."""
    before = await gateway.say("wxid_xuan", "我要退货")
    await gateway.wait_sent(1, "wxid_xuan")
    await gateway.recall(before)
    await gateway.say("wxid_xuan", "人工")
    (shown,) = await gateway.wait_sent(1, STAFF_ROOM)
    assert "黑旋风：[撤回了一条消息]：我要退货\n" in shown["text"]
    wrong = await gateway.say("wxid_xuan", "地址是人民路 1 号")
    await gateway.say("wxid_xuan", "地址是水泊路 1 号")
    await gateway.recall(wrong)
    await gateway.say("wxid_xuan", "nobody-knows", kind="recalled")
    told = [sent["text"] for sent in await gateway.wait_sent(5, STAFF_ROOM)][3:]
    assert told == ["【#1 黑旋风】[撤回了一条消息]：地址是人民路 1 号", "【#1 黑旋风】[撤回了一条消息]"]


async def test_staff_room_without_event_is_found(gateway: OfficialGateway) -> None:
    """A room created while the bot runs, without an event; the old one has another topic."""
    me = (await gateway.status())["self"]
    await gateway.topic(STAFF_ROOM, "别的群", "wxid_song")
    await gateway.room("new@chatroom", "客服值班群", [me, "wxid_song", "wxid_admin"], owner="wxid_admin")
    await gateway.say("wxid_xuan", "人工")
    (shown,) = await gateway.wait_sent(1, "new@chatroom")
    assert shown["text"].startswith("【#1 黑旋风】请求人工服务")


async def test_documents_of_unknown_kind_are_files(gateway: OfficialGateway) -> None:
    """As reported by PuppetMock; unknown messages without a file are only named."""
    file = {"name": "合同.pdf", "base64": base64.b64encode(b"%PDF").decode()}
    await gateway.say("wxid_xuan", "人工")
    await gateway.wait_sent(1, STAFF_ROOM)
    await gateway.say("wxid_xuan", kind="unknown", file=file)
    await gateway.say("wxid_xuan", kind="unknown")
    told, relayed, nothing = (await gateway.wait_sent(4, STAFF_ROOM))[1:]
    assert (told["text"], relayed["name"]) == ("【#1 黑旋风】[文件] 合同.pdf", "合同.pdf")
    assert nothing["text"] == "【#1 黑旋风】[消息]"
    await gateway.say("wxid_song", "#1", room=STAFF_ROOM)
    await gateway.say("wxid_song", kind="unknown", room=STAFF_ROOM)
    await gateway.say("wxid_song", kind="unknown", file=file, room=STAFF_ROOM)
    assert [sent.get("name") for sent in await gateway.wait_sent(2, "wxid_xuan")][1:] == ["合同.pdf"]
    assert (await gateway.wait_sent(7, STAFF_ROOM))[6]["text"] == "#1 黑旋风：文件已转给客户"


async def test_non_personal_accounts_are_not_answered(gateway: OfficialGateway) -> None:
    """Recognised by type, or by id alone."""
    await gateway.contact("wxid_paper", "早报", type=2)
    await gateway.contact("gh_0123456789ab", "晚报")
    await gateway.contact("weixin", "微信团队")
    for who in ("wxid_paper", "gh_0123456789ab", "weixin", "wxid_xuan"):
        await gateway.say(who, "人工")
    await gateway.wait_sent(1, "wxid_xuan")
    for who in ("wxid_paper", "gh_0123456789ab", "weixin", "wxid_xuan"):
        await gateway.say(who, "在吗")
    shown = await gateway.wait_sent(2, STAFF_ROOM)
    assert [sent["text"].partition("】")[0] for sent in shown] == ["【#1 黑旋风"] * 2
    assert {sent["conversation"] for sent in await gateway.sent()} == {"wxid_xuan", STAFF_ROOM}
