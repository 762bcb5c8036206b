"""WeChat's own notes: refused messages, ended friendships, and texts of friend requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.official import Start, official  # noqa: F401 - a fixture
from tests.stories.gateway_environment import ACCOUNT, ALWAYS_OPEN, STAFF_ROOM, GatewayEnvironment, add_staff_room
from tests.waiting import until

pytestmark = pytest.mark.gateway
REFUSED = "消息已发出，但被对方拒收了。"
NO_FRIEND = "黑旋风开启了朋友验证，你还不是他（她）朋友。请先发送朋友验证请求，对方验证通过后，才能聊天。"
FALLBACK = "抱歉，我没听懂"


@pytest.fixture
async def env(official: Start, tmp_path: Path) -> AsyncIterator[GatewayEnvironment]:  # noqa: F811
    """A customer, and one member of the staff."""
    gateway = await official(tls=False)
    for id, name in (("wxid_xuan", "黑旋风"), ("wxid_song", "宋公明"), ("wxid_admin", "店长")):
        await gateway.contact(id, name)
    await add_staff_room(gateway)
    keywords = [{"equals": "条款", "reply": "第一条。" * 900}]
    async with GatewayEnvironment(gateway, tmp_path, False, handoff=ALWAYS_OPEN, keywords=keywords) as env:
        yield env


async def is_in_state(env: GatewayEnvironment, id: int, state: str) -> None:
    """Wait until a message is in a state."""
    now = ""

    async def look() -> bool:
        nonlocal now
        now = str((await env.call("GET", f"/wxbot/message/{id}"))[1]["message"]["state"])
        return now == state

    await until(look, lambda: f"the message is {now}, not {state}")


@pytest.mark.parametrize("kind", ["group_note", "text", "unknown"])
@pytest.mark.parametrize("note", [REFUSED, NO_FRIEND])
async def test_refused_message_is_failed(env: GatewayEnvironment, note: str, kind: str) -> None:
    """The note is not answered, dependents of the message are notified, and the person is no longer a friend."""
    body = {"assistant": ACCOUNT, "to": "黑旋风", "text": "您的订单到了"}
    status, answer = await env.call("POST", "/wxbot/message", body)
    assert status == 202
    await env.gateway.wait_sent(1, "wxid_xuan")
    await env.gateway.contact("wxid_xuan", friend=False)
    await env.gateway.say("wxid_xuan", note, kind=kind)
    await is_in_state(env, answer["message"]["id"], "failed")
    await env.gateway.say("wxid_song", "在吗")
    await env.gateway.wait_sent(1, "wxid_song")
    assert len(await env.gateway.sent("wxid_xuan")) == 1
    directory = env.bot.container.accounts.get(ACCOUNT).directory
    await until(lambda: not directory.contacts["wxid_xuan"].friend, "no friend")


async def test_refused_answer_is_reported_to_staff(env: GatewayEnvironment) -> None:
    await env.gateway.say("wxid_xuan", "人工")
    await env.gateway.wait_sent(1, STAFF_ROOM)
    await env.gateway.say("wxid_song", "#1 您好", room=STAFF_ROOM)
    await env.gateway.wait_sent(2, "wxid_xuan")
    await env.gateway.say("wxid_xuan", REFUSED)
    told = [sent["text"] for sent in await env.gateway.wait_sent(3, STAFF_ROOM)]
    assert "#1 黑旋风：有一条没能送达客户：您好" in told[-1]
    assert len(await env.gateway.sent("wxid_xuan")) == 2


async def test_friend_request_text_is_not_answered_again(env: GatewayEnvironment) -> None:
    """WeChat gives them as the first message of the new friend, with notes about it."""
    await env.gateway.friend_request("wxid_wen", "我是史进")
    await env.gateway.wait_sent(1, "wxid_wen")
    await env.gateway.say("wxid_wen", "我是史进")
    await env.gateway.say("wxid_wen", "以上是打招呼的内容")
    await env.gateway.say("wxid_wen", "你已添加了九纹龙，现在可以开始聊天了。", kind="group_note")
    await env.gateway.say("wxid_wen", "我要买马")
    sent = [message["text"] for message in await env.gateway.wait_sent(2, "wxid_wen")]
    assert sent[0].startswith("您好，我是")
    assert sent[1].startswith(FALLBACK)


async def test_long_texts_are_split_at_sentences(env: GatewayEnvironment) -> None:
    """At ends of sentences, in order; by a keyword, by REST with its mentions in the first."""
    await env.gateway.say("wxid_xuan", "条款")
    pieces = [message["text"] for message in await env.gateway.wait_sent(2, "wxid_xuan")]
    assert "".join(pieces) == "第一条。" * 900
    assert all(len(piece) <= 2000 and piece.endswith("。") for piece in pieces)
    body = {"assistant": ACCOUNT, "to": "宋公明", "text": "甲乙丙。" * 950}
    status, answer = await env.call("POST", "/wxbot/message", body)
    assert status == 202
    said = [message["text"] for message in await env.gateway.wait_sent(2, "wxid_song")]
    assert "".join(said) == body["text"]
    await is_in_state(env, answer["message"]["id"], "sent")
