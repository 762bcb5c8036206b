"""Groups over the official Wechaty gateway."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from sqlmodel import select

from models.groups import Membership, MemberState
from tests.official import OfficialGateway, Start, official  # noqa: F401 - a fixture
from tests.stories.gateway_environment import ACCOUNT, GatewayEnvironment
from tests.waiting import SECONDS, until

pytestmark = pytest.mark.gateway


@pytest.fixture(params=["tls", "auto", "plain"])
async def env(request: pytest.FixtureRequest, official: Start, tmp_path: Path) -> AsyncIterator[GatewayEnvironment]:  # noqa: F811
    """With TLS (configured, and detected) and without."""
    gateway = await official(tls=request.param != "plain")
    for id, name in (("wxid_song", "宋公明"), ("wxid_xuan", "黑旋风"), ("wxid_zhi", "智多星")):
        await gateway.contact(id, name, friend=True)
    await gateway.contact("wxid_wen", "九纹龙", friend=False)
    async with GatewayEnvironment(gateway, tmp_path, {"tls": True, "plain": False}.get(request.param, "auto")) as env:
        yield env


async def test_group_members_and_welcome(env: GatewayEnvironment) -> None:
    """Created once, topic set, a friend added and welcomed, a stranger pending until they are a friend."""
    qun = await env.group()
    rooms = await env.gateway.rooms()
    assert [room["topic"] for room in rooms] == ["宋公明的群100001"]
    assert sorted(rooms[0]["memberIdList"]) == ["wxid_bot", "wxid_song", "wxid_zhi"]
    body = {"code": "1", "owner": "宋公明", "assistant": ACCOUNT}
    assert (await env.call("POST", "/wxbot/qun", body))[0] == 200

    join = {"token": qun["token"], "member": "黑旋风"}
    assert await env.call("POST", "/wxbot/qun/membership", join) == (
        200,
        {"membership_join_response": {"approved": "ok"}},
    )
    sent = await env.gateway.wait_sent(1, rooms[0]["id"])
    assert "欢迎 @黑旋风\u2005加入宋公明的群100001！" in sent[0]["text"]
    assert sent[0]["mentions"] == ["wxid_xuan"]
    assert await env.call("POST", "/wxbot/qun/membership", join) == (
        200,
        {"membership_join_response": {"approved": "ok"}},
    )

    status, answer = await env.call("POST", "/wxbot/qun/membership", join | {"member": "九纹龙"})
    assert (status, answer["membership_join_response"]["approved"]) == (202, "pending")
    await env.gateway.friend_request("wxid_wen", "你好")
    sent = await env.gateway.wait_sent(2, rooms[0]["id"])
    assert "欢迎 @九纹龙" in sent[1]["text"]
    assert len(await env.gateway.rooms()) == 1


async def test_concurrent_creates_and_lost_response_make_one_group(env: GatewayEnvironment) -> None:
    """One group for twenty simultaneous requests, and for a repeated one after a lost response."""
    body = {"code": "many", "owner": "宋公明", "assistant": ACCOUNT}
    answers = await asyncio.gather(*(env.call("POST", "/wxbot/qun", body) for _ in range(20)))
    assert sorted(status for status, _ in answers) == [200] * 19 + [201]
    assert len(await env.gateway.rooms()) == 1

    await env.gateway.fault("roomCreate", "lose", times=1)
    lost = body | {"code": "lost"}
    first, _ = await env.call("POST", "/wxbot/qun", lost, timeout=aiohttp.ClientTimeout(40))
    second, _ = await env.call("POST", "/wxbot/qun", lost)
    assert (first, second) in ((201, 200), (502, 201))
    assert len(await env.gateway.rooms()) == 2


async def test_call_without_effect_is_an_error(env: GatewayEnvironment) -> None:
    """A call that succeeds without effect is an error; from forty members on, people are invited."""
    await env.gateway.fault("roomCreate", "throw", times=1, text="too bad")
    body = {"code": "1", "owner": "宋公明", "assistant": ACCOUNT}
    assert (await env.call("POST", "/wxbot/qun", body))[1]["error"]["code"] == 2006
    qun = await env.group()
    join = {"token": qun["token"], "member": "黑旋风"}
    await env.gateway.fault("roomAdd", "ignore", times=1)
    assert (await env.call("POST", "/wxbot/qun/membership", join))[1]["error"]["code"] == 3006
    await env.gateway.fault("roomAdd", "throw", times=1, text="-2028 群主已启用群聊邀请确认")
    assert (await env.call("POST", "/wxbot/qun/membership", join))[1] == {
        "membership_join_response": {"approved": "invited"}
    }


async def test_person_who_deleted_the_assistant_is_pending(env: GatewayEnvironment) -> None:
    """Pending once, however often it is requested, until they are friends again."""
    qun = await env.group()
    await env.gateway.unfriend("wxid_xuan")
    join = {"token": qun["token"], "member": "黑旋风"}
    for _ in range(3):
        status, answer = await env.call("POST", "/wxbot/qun/membership", join)
        assert (status, answer["membership_join_response"]["approved"]) == (202, "pending")
    waiting = select(Membership).where(Membership.state == MemberState.WAITING_FRIEND)
    assert len(await env.bot.container.store.read(lambda s: s.exec(waiting).all())) == 1
    await env.gateway.befriend("wxid_xuan")
    room = (await env.gateway.rooms())[0]["id"]
    await env.gateway.wait_sent(1, room)
    assert await env.bot.container.store.read(lambda s: s.exec(waiting).all()) == []


async def test_message_to_person_who_deleted_the_assistant_has_failed(env: GatewayEnvironment) -> None:
    """The gateway accepts it, and WeChat asks for a verification: the person is no friend, and did not see it."""
    message = {"assistant": ACCOUNT, "to": "wxid_xuan", "text": "您好"}

    async def send() -> str:
        number = (await env.call("POST", "/wxbot/message", message))[1]["message"]["id"]
        return f"/wxbot/message/{number}"

    async def state(path: str) -> str:
        return str((await env.call("GET", path))[1]["message"]["state"])

    seen = await send()
    await env.gateway.wait_sent(1, "wxid_xuan")
    await env.gateway.do("unfriend", contact="wxid_xuan", dirty=False)
    refused = await send()
    async with asyncio.timeout(SECONDS):
        while await state(refused) != "failed":  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.05)
    assert await state(seen) == "sent"
    assert (await env.call("POST", "/wxbot/message", message))[0] == 404


async def test_admins_invitation_is_accepted(env: GatewayEnvironment) -> None:
    """An admin's invitation is accepted, a stranger's is not."""
    gateway = env.gateway
    await gateway.contact("wxid_admin", "店长", friend=True)
    await gateway.room("a@chatroom", "店里", members=["wxid_admin", "wxid_song"])
    await gateway.room("b@chatroom", "街上", members=["wxid_xuan", "wxid_song"])
    await gateway.invite_bot("b@chatroom", "wxid_xuan")
    await gateway.invite_bot("a@chatroom", "wxid_admin")
    await until(lambda: "a@chatroom" in env.bot.assistants[0].directory.rooms, "in the admin's group")
    members = {room["id"]: room["memberIdList"] for room in await gateway.rooms()}
    assert "wxid_bot" in members["a@chatroom"]
    assert "wxid_bot" not in members["b@chatroom"]


async def test_tls_use_is_remembered(official: Start, tmp_path: Path) -> None:  # noqa: F811
    """Also across a restart: `auto` does not try plaintext any more."""
    gateway = await official(tls=True)
    for _ in range(2):
        env = GatewayEnvironment(gateway, tmp_path, "auto")
        await env.bot.start()
        try:
            seen = env.bot.container.tls_seen
            await until(lambda seen=seen: gateway.endpoint in seen, "TLS was seen")
        finally:
            await env.bot.stop()
    kept = GatewayEnvironment(gateway, tmp_path, "auto").bot.config.database_file
    assert kept is not None
    row = sqlite3.connect(kept).execute("SELECT value FROM setting WHERE key = ?", (f"tls_seen:{gateway.endpoint}",))
    assert row.fetchall() == [("1",)]
