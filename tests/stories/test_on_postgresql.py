"""The main scenarios on PostgreSQL, above all those that must happen once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.stories.conftest import BotEnvironment, MakeEnv, until
from tests.stories.service import known, replies_to, service, staff_room, words

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]


async def ask_for(env: BotEnvironment, code: str) -> tuple[int, Any]:
    body = {"code": code, "owner": "宋公明", "assistant": env.accounts[0]}
    status, answer, _ = await env.call("POST", "/wxbot/qun", body)
    return status, answer["qun_create_response"]["url"]


async def test_concurrent_groups_get_distinct_numbers(make_env: MakeEnv, database: str) -> None:
    env = await make_env(database=database)
    codes = [f"code-{number}" for number in range(6)] * 2
    made = await asyncio.gather(*(ask_for(env, code) for code in codes))
    assert sorted(status for status, _ in made) == [200] * 6 + [201] * 6
    assert len({url for _, url in made}) == 6
    quns = [await env.call("GET", "/wxbot/qun", params={"code": code}) for code in codes[:6]]
    assert sorted(answer["qun"]["number"] for _, answer, _ in quns) == list(range(100001, 100007))


async def test_new_friend_is_greeted_and_added_once(make_env: MakeEnv, database: str) -> None:
    env = await make_env(database=database)
    qun = await env.make_group()
    env.world.people.ask(env.id("九纹龙"), env.id("bot"), f"我是九纹龙 {qun['token']}")
    await until(lambda: env.id("九纹龙") in env.room(qun["room"]).members, "九纹龙 is in the group")
    await env.receives("宋公明", "欢迎 @九纹龙", qun["room"])
    await env.restart_bot()
    env.say("九纹龙", qun["token"])
    await env.receives("九纹龙", "您已经在")
    await env.wait_idle()
    assert sum("您好，我是" in m.text for m in env.seen("九纹龙")) == 1
    assert sum("欢迎" in m.text for m in env.seen("宋公明", qun["room"])) == 1


async def test_ticket_is_answered_and_survives_restart(make_env: MakeEnv, database: str) -> None:
    env = await make_env(database=database, customer_service=service())
    room = staff_room(env)
    await known(env, room)
    for _ in range(3):  # concurrently and repeatedly
        env.say("黑旋风", "人工")
    await env.receives("黑旋风", "正在为您转接")
    await env.wait_idle()
    assert sum("请求人工服务" in said for said in words(env.seen("宋公明", room))) == 1
    await env.restart_bot()
    env.say("宋公明", "#1 您好", room)
    await env.receives("黑旋风", "您好")
    env.say("宋公明", "#1 结束", room)
    await env.receives("黑旋风", "打分")
    assert await replies_to(env, "黑旋风", "5") == ["感谢您的评价！"]


async def test_number_out_of_range_returns_404(make_env: MakeEnv, database: str) -> None:
    env = await make_env(database=database)
    qun = await env.make_group()
    calls = [("GET", "message/{}"), ("GET", "qun/membership/{}"), ("DELETE", "qun/membership/{}"), ("GET", "qun/{}")]
    for number in (2**31 - 1, 2**31, 2**63, 10**18 - 1):
        for method, path in [*calls, ("POST", "webhook/{}/resend")]:
            status, answer, _ = await env.call(method, f"/wxbot/{path.format(number)}")
            assert (status, answer["error"]["code"]) == (404, 1004), (path, number)
        env.say("宋公明", f"/定时 删 {number}", qun["room"])
        answer = f"没有编号为 {number} 的定时消息" if number < 2**31 else "/定时 [加"
        await env.receives("宋公明", answer, qun["room"])
