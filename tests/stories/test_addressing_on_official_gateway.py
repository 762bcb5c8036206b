"""Mentions, senders, and reused message ids."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.official import Start, official  # noqa: F401 - a fixture
from tests.stories.gateway_environment import GatewayEnvironment
from tests.waiting import SECONDS

pytestmark = pytest.mark.gateway
HOURS = "我们每天 9:00-18:00 营业。"


@pytest.fixture
async def env(official: Start, tmp_path: Path) -> AsyncIterator[GatewayEnvironment]:  # noqa: F811
    """A group of three in which the assistant has an alias."""
    gateway = await official(tls=False)
    for id, name in (("wxid_song", "宋公明"), ("wxid_zhi", "智多星"), ("wxid_admin", "店长"), ("wxid_xuan", "黑旋风")):
        await gateway.contact(id, name)
    await gateway.contact("wxid_wu", "武松", weixin="wusong_1")
    keywords = [{"equals": "营业时间", "reply": HOURS}]
    async with GatewayEnvironment(gateway, tmp_path, False, keywords=keywords) as env:
        yield env


async def group(env: GatewayEnvironment) -> str:
    await env.group()
    room: str = (await env.gateway.rooms())[-1]["id"]
    await env.gateway.room(room, aliases={"wxid_bot": "客服 小微"})
    return room


async def admit_members(env: GatewayEnvironment, room: str) -> None:
    """Wait until 九纹龙 is in the group."""
    deadline = asyncio.get_running_loop().time() + SECONDS
    while asyncio.get_running_loop().time() < deadline:
        rooms = {room["id"]: room["memberIdList"] for room in await env.gateway.rooms()}
        if "wxid_wen" in rooms[room]:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("not let in")


async def test_mention_of_everybody_is_not_answered(env: GatewayEnvironment) -> None:
    room = await group(env)
    everybody = ["wxid_bot", "wxid_zhi"]
    await env.gateway.say("wxid_song", "@所有人\u2005营业时间", room=room, mentions=everybody)
    await env.gateway.say("wxid_song", "@微秘\u2005营业时间", room=room, mentions=["wxid_bot"])
    await env.gateway.wait_sent(1, room)
    await env.gateway.say("wxid_xuan", "营业时间")
    await env.gateway.wait_sent(1, "wxid_xuan")
    assert len(await env.gateway.sent(room)) == 1


@pytest.mark.parametrize("mentions", [[], ["wxid_bot"]])
@pytest.mark.parametrize("text", [
    "@客服 小微\u2005营业时间", "@客服 小微 营业时间", "营业时间 @客服 小微", "@客服 小微，营业时间", "@微秘 营业时间",
])  # fmt: skip
async def test_assistant_is_addressed_by_its_group_name(
    env: GatewayEnvironment, text: str, mentions: list[str]
) -> None:
    room = await group(env)
    await env.gateway.say("wxid_song", text, room=room, mentions=mentions)
    (answer,) = await env.gateway.wait_sent(1, room)
    assert HOURS in answer["text"]


async def test_different_text_under_a_reused_id_is_a_new_message(env: GatewayEnvironment) -> None:
    """The gateway restarted its numbering; an equal text under the id is a repeat."""
    await env.gateway.say("wxid_xuan", "营业时间", id="1", times=3)
    await env.gateway.wait_sent(1, "wxid_xuan")
    await env.gateway.say("wxid_xuan", "人工", id="1", times=2)
    said = [message["text"] for message in await env.gateway.wait_sent(2, "wxid_xuan")]
    assert said[0] == HOURS
    await env.gateway.say("wxid_song", "营业时间", id="1")
    await env.gateway.wait_sent(1, "wxid_song")
    assert len(await env.gateway.sent("wxid_xuan")) == 2


async def test_message_from_a_weixin_belongs_to_its_person(env: GatewayEnvironment) -> None:
    """A message from a 微信号 is its bearer's, unless the gateway lists it as a contact."""
    await env.gateway.set(list_strangers=False)
    await env.gateway.contact("wusong_1", "武松", friend=False)
    await env.gateway.say("wusong_1", "营业时间")
    (answer,) = await env.gateway.wait_sent(1, "wxid_wu")
    assert answer["text"] == HOURS


async def test_pending_stranger_is_added_under_a_later_id(env: GatewayEnvironment) -> None:
    room = await group(env)
    _, answer = await env.call("GET", "/wxbot/qun", params={"code": "1"})
    await env.gateway.contact("v1_abc@stranger", "九纹龙", friend=False)
    await env.gateway.fault("friendshipAccept", "ignore")
    await env.gateway.friend_request("v1_abc@stranger", answer["qun"]["token"])
    await env.gateway.wait_calls("friendshipAccept", 1)
    await env.gateway.contact("wxid_wen", "九纹龙", friend=True)
    await env.gateway.befriend("wxid_wen")
    await admit_members(env, room)


async def test_unreadable_new_friend_is_added(env: GatewayEnvironment) -> None:
    room = await group(env)
    _, answer = await env.call("GET", "/wxbot/qun", params={"code": "1"})
    await env.gateway.fault("contactPayload", "throw", times=40)
    await env.gateway.friend_request("wxid_wen", answer["qun"]["token"])
    await admit_members(env, room)
