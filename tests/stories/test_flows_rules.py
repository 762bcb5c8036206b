"""Rules of flows: permissions, one at a time, cancelling, requests for a person, and what admins see."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import stamina
from aiohttp import web

from tests.services.flow_parts import CALL, HAND_OUT, flow
from tests.stories.business import runs, told
from tests.stories.conftest import MakeEnv
from tests.stories.flow_shop import WAIT, Shop, shop, with_shop
from tests.stories.group_life import add_members, transfer_group
from tests.stories.service import known, service, staff_room
from tests.waiting import until

__all__ = ["shop"]


@pytest.fixture(autouse=True)
def no_waits() -> Any:
    """Retries happen at once, with the usual number."""
    with stamina.set_testing(True, attempts=4):
        yield


# ---- people ----


async def test_permissions_to_start_flows(make_env: MakeEnv, shop: Shop) -> None:
    flows = [
        {**flow({"say": "一"}), "name": "甲", "start": ["甲"], "allow": "admins"},
        {**flow({"say": "二"}), "name": "乙", "start": ["乙"], "allow": "owners"},
        {**flow({"say": "三"}), "name": "丙", "start": ["丙"], "allow": "everyone"},
    ]
    env = await make_env(**with_shop(shop, *flows))
    qun = await env.make_group()  # 宋公明 owns it

    async def check_start(who: str, word: str, reply: str) -> None:
        before = len(told(env, who))
        env.say(who, word)
        await until(lambda: len(told(env, who)) > before, f"{who} says {word}")
        assert reply in told(env, who)[-1], (who, word)

    for who, says in (
        ("黑旋风", ["没有权限", "没有权限", "三"]),
        ("宋公明", ["没有权限", "二", "三"]),
        ("店长", ["一", "二", "三"]),
    ):
        for word, reply in zip("甲乙丙", says, strict=True):
            await check_start(who, word, reply)
    add_members(env, qun, "黑旋风")
    await transfer_group(env, qun, "黑旋风")
    await check_start("宋公明", "乙", "没有权限")
    await check_start("黑旋风", "乙", "二")


async def test_one_flow_at_a_time_and_cancel_at_any_step(make_env: MakeEnv, shop: Shop) -> None:
    other = {**flow({"say": "好"}), "name": "另一个", "start": ["另一个"]}
    env = await make_env(**with_shop(shop, flow({"ask": {"a": "甲？"}}, HAND_OUT, WAIT), other))
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "甲？")
    env.say("黑旋风", "另一个")  # a start word does not count as an answer
    await env.receives("黑旋风", "您的流程“试”还没有完成（正在等您回答）")
    env.say("黑旋风", "一")
    await until(lambda: shop.asked, "the shop is asked")
    await env.wait_idle()
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "还没有完成（正在等待结果）")
    env.say("黑旋风", "取消")
    await env.receives("黑旋风", "已取消流程“试”。")
    env.say("黑旋风", "另一个")
    await env.receives("黑旋风", "好")
    status, _, _ = await env.call("POST", shop.asked[0][2]["callback"].removeprefix(env.url), {"status": "success"})
    assert status == 200
    await env.wait_idle()
    assert told(env, "黑旋风")[-1] == "好"
    assert sorted(await runs(env.bot.container)) == ["cancelled", "finished"]


async def test_slow_system_does_not_block_its_person(make_env: MakeEnv, shop: Shop) -> None:
    release = asyncio.Event()

    async def slowly(_request: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.json_response({})

    shop.answer = slowly
    env = await make_env(**with_shop(shop, flow(CALL, {"say": "做完了"}), timeout=10))
    env.say("黑旋风", "开始")
    await until(lambda: shop.asked, "the shop is asked")
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "还没有完成（正在处理）")
    env.say("黑旋风", "取消")
    await env.receives("黑旋风", "已取消流程“试”。")
    release.set()
    await env.wait_idle()
    assert "做完了" not in told(env, "黑旋风")


async def test_texts_are_answers_and_support_stays_reachable(make_env: MakeEnv, shop: Shop) -> None:
    env = await make_env(**with_shop(shop, flow({"ask": {"a": "甲？", "b": "乙，{a}？"}}, {"say": "{a}、{b}"})))
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "甲？")
    env.world.chats.send_card(env.id("黑旋风"), env.id("bot"), env.id("宋公明"))
    await env.receives("黑旋风", "请用文字回答，或回复“取消”结束。")
    env.say("黑旋风", "  {flow}\n第二行  ")  # braces in an answer are kept
    await env.receives("黑旋风", "乙，{flow}\n第二行？")
    env.say("黑旋风", "「助手：乙，{flow}\n第二行？」\n- - - - - - - - - - - - - - -\n好")
    await env.receives("黑旋风", "{flow}\n第二行、好")


async def test_person_is_requested_during_a_flow(make_env: MakeEnv, shop: Shop) -> None:
    env = await make_env(**with_shop(shop, flow({"ask": {"a": "甲？"}}, CALL)))
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "甲？")
    env.say("黑旋风", "人工")
    await until(lambda: len(told(env, "黑旋风")) == 2, "answered")
    await env.wait_idle()
    assert not shop.asked


async def test_rating_and_answer_are_told_apart(make_env: MakeEnv, shop: Shop) -> None:
    """A customer who was handed over during a flow is asked for a rating afterwards: the last question counts."""
    asking = flow({"ask": {"a": "甲？"}}, {"say": "甲是{a}"})
    env = await make_env(customer_service=service(), **with_shop(shop, asking))
    room = staff_room(env)
    await known(env, room)
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "甲？")
    for number in (1, 2):
        env.say("黑旋风", "您好，我要转人工客服")
        await env.receives("店长", f"【#{number} 黑旋风】请求人工服务", room)
        env.say("店长", f"#{number} 结束", room)
        await env.receives("店长", f"#{number} 黑旋风 已结束", room)
        await env.wait_idle()
        if number == 1:
            env.say("黑旋风", "5")
            await env.receives("店长", "#1 黑旋风 评分：5", room)
            env.say("黑旋风", "一楼")
            await env.receives("黑旋风", "甲是一楼")
    env.say("黑旋风", "开始")
    await until(lambda: told(env, "黑旋风").count("甲？") == 2, "asked")
    env.say("黑旋风", "4")
    await env.receives("黑旋风", "甲是4")


async def test_old_and_group_messages_start_no_flow(make_env: MakeEnv, shop: Shop) -> None:
    env = await make_env(**with_shop(shop, flow(CALL)))
    qun = await env.make_group()
    env.say("宋公明", "开始", to=qun["room"])
    env.say("宋公明", "开始吧")
    await env.wait_idle()
    assert not shop.asked
    assert await runs(env.bot.container) == []


async def test_admin_lists_and_ends_runs(make_env: MakeEnv, shop: Shop) -> None:
    env = await make_env(**with_shop(shop, flow({"ask": {"a": "甲？"}})))
    env.say("店长", "/流程")
    await env.receives("店长", "没有进行中的流程。")
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "甲？")
    env.say("店长", "/流程")
    await env.receives("店长", "#1 试 黑旋风，正在等您回答")
    env.say("店长", "/流程 结束 9")
    await env.receives("店长", "没有编号为 9 的进行中流程。")
    env.say("店长", "/流程 结束 1")
    await env.receives("店长", "已结束流程 #1“试”。")
    await env.receives("黑旋风", "管理员结束了您的流程“试”。")
    env.say("黑旋风", "/流程")
    await env.receives("黑旋风", "您没有权限执行此命令。")
