"""Messages with wrong labels of the gateway: the content decides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.official import OfficialGateway, Start, official  # noqa: F401 - a fixture
from tests.stories.conftest import until
from tests.stories.test_groups_on_official_gateway import ACCOUNT, GatewayEnvironment
from tests.wechat.test_message_content import CARD, PROGRAM, app, quoting

pytestmark = pytest.mark.gateway
STAFF_ROOM = "staff@chatroom"
LABELS = (0, 1, 7, 14)


@pytest.fixture
async def env(official: Start, tmp_path: Path) -> AsyncIterator[GatewayEnvironment]:  # noqa: F811
    """A customer, a group's owner, and one member of the staff."""
    gateway = await official(tls=False)
    for id, name in (("wxid_xuan", "黑旋风"), ("wxid_song", "宋公明"), ("wxid_zhi", "智多星"), ("wxid_admin", "店长")):
        await gateway.contact(id, name)
    await gateway.contact("wxid_wen", "九纹龙")
    me = (await gateway.status())["self"]
    await gateway.room(STAFF_ROOM, "客服值班群", [me, "wxid_song", "wxid_admin"], owner="wxid_admin")
    hours = {"days": "mon-sun", "from": "00:00", "to": "24:00"}
    keywords = [{"equals": "营业时间", "reply": "我们每天 9:00-18:00 营业。"}]
    env = GatewayEnvironment(gateway, tmp_path, False, handoff={"hours": hours}, keywords=keywords)
    await env.bot.start()
    await until(lambda: env.bot.container.accounts.is_online(ACCOUNT), "online")
    yield env
    await env.bot.stop()


async def texts(gateway: OfficialGateway, count: int, where: str) -> list[str]:
    """The texts sent to a conversation, once there are so many."""
    return [sent["text"] for sent in await gateway.wait_sent(count, where)]


async def test_quoting_question_is_answered(env: GatewayEnvironment) -> None:
    for label in LABELS:
        await env.gateway.say("wxid_xuan", quoting("营业时间", "您好"), kind=label)
    assert await texts(env.gateway, 4, "wxid_xuan") == ["我们每天 9:00-18:00 营业。"] * 4


async def test_quoting_replies_are_relayed(env: GatewayEnvironment) -> None:
    """What the customer quotes is shown; what the staff quotes names the ticket, and only their words go on."""
    gateway = env.gateway
    await gateway.say("wxid_xuan", "人工")
    await gateway.wait_sent(1, STAFF_ROOM)
    await gateway.say("wxid_xuan", quoting("这个呢", "您好，我是助手"), kind=0)
    shown = (await texts(gateway, 2, STAFF_ROOM))[1]
    assert "这个呢" in shown
    assert "「您好，我是助手」" in shown
    assert "<" not in shown
    for label in LABELS:
        await gateway.say("wxid_song", quoting("马上为您处理", "【#1 黑旋风】这个呢"), kind=label, room=STAFF_ROOM)
    assert (await texts(gateway, 5, "wxid_xuan"))[1:] == ["马上为您处理"] * 4


async def test_cards_and_notes_are_relayed_by_content(env: GatewayEnvironment) -> None:
    gateway = env.gateway
    await gateway.say("wxid_xuan", "人工")
    await gateway.wait_sent(1, STAFF_ROOM)
    await gateway.say("wxid_xuan", PROGRAM, kind=0)
    await gateway.say("wxid_xuan", CARD, kind=7)
    await gateway.say("wxid_xuan", '"黑旋风" 拍了拍我', kind=13)
    await gateway.say("wxid_xuan", app(5, "说明书", "<url>http://shop.example/a</url>"), kind=1)
    shown = [text.removeprefix("【#1 黑旋风】") for text in (await texts(gateway, 4, STAFF_ROOM))[1:]]
    assert shown == ["[小程序] 小游戏", "[名片] 某人", "[链接] 说明书 http://shop.example/a"]


@pytest.mark.parametrize("label", LABELS)
async def test_group_is_moderated_whatever_the_label(env: GatewayEnvironment, label: int) -> None:
    """A blocked word in a reply that quotes, a mini-program, a card; what is only quoted breaks no rule."""
    gateway = env.gateway
    qun = await env.group()
    room = (await gateway.rooms())[-1]["id"]
    await gateway.join(room, "wxid_wen")
    await gateway.wait_sent(1, room)
    await gateway.say("wxid_admin", f"/屏蔽词 {qun['number']} 加 加微信")
    await gateway.wait_sent(1, "wxid_admin")
    await gateway.say("wxid_wen", quoting("没什么", "加微信"), kind=label, room=room)
    await gateway.say("wxid_wen", '"九纹龙" 拍了拍我', kind=10, room=room)
    await gateway.say("wxid_wen", quoting("快来加微信", "好的"), kind=label, room=room)
    assert "违规内容。这是第 1 次警告" in (await texts(gateway, 2, room))[1]
    await gateway.say("wxid_wen", CARD if label == 14 else PROGRAM, kind=label, room=room)
    assert "这是第 2 次警告" in (await texts(gateway, 3, room))[2]
