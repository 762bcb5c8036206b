"""Flows that offer a choice, check answers, ask for a confirmation, and are taken up again after a failure."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import stamina
from aiohttp import web

from models.flows import FlowRun
from tests.services.flow_parts import CALL, HAND_OUT, flow
from tests.stories.business import runs, told
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.flow_shop import WAIT, Shop, shop, with_shop
from tests.waiting import until

__all__ = ["shop"]
WHO = "黑旋风"
PLAN = {"choose": {"plan": {"question": "{store}要哪种？", "options": {"月付": "monthly", "年付": "yearly"}}}}
ASK = {"ask": {"store": "哪家？", "n": {"question": "几台？", "check": {"min": 1, "max": 9, "words": "1 到 9 台。"}}}}
CONFIRM = {"confirm": "{store}：{n} 台，{plan}"}
ORDER = {"call": {"system": "shop", "path": "/orders", "body": {"n": "{n}", "plan": "{plan}"}, "into": "order"}}


@pytest.fixture(autouse=True)
def no_waits() -> Any:
    with stamina.set_testing(True, attempts=2):
        yield


async def answer(env: BotEnvironment, text: str, reply: str) -> None:
    """Send a text as the person and wait for the reply."""
    before = len(told(env, WHO))
    env.say(WHO, text)
    await until(lambda: any(reply in line for line in told(env, WHO)[before:]), f"{text!r} is answered {reply!r}")


async def test_choices_and_checks_across_restarts(make_env: MakeEnv, shop: Shop) -> None:
    env = await make_env(**with_shop(shop, flow(ASK, PLAN, CONFIRM, ORDER, {"say": "好了"})))
    await answer(env, "开始", "哪家？")
    await answer(env, "一店", "几台？")
    await answer(env, "10", "1 到 9 台。")
    await env.restart_bot()
    await answer(env, "３", "一店要哪种？\n1. 月付\n2. 年付\n请回复前面的数字。")
    await answer(env, "季付", "没有这个选项。请回复 1 到 2 之间的数字")
    await env.restart_bot()
    await answer(env, "2", "一店：3 台，yearly\n回复“确认”继续")
    await answer(env, "嗯", "请回复“确认”继续")
    await env.restart_bot()
    assert not shop.asked
    await answer(env, "“确认”", "好了")
    assert [body for _, _, body in shop.asked] == [{"n": 3, "plan": "yearly"}]


async def test_unconfirmed_step_is_not_executed(make_env: MakeEnv, shop: Shop) -> None:
    env = await make_env(**with_shop(shop, flow({"confirm": "付款 5 元"}, CALL)))
    await answer(env, "开始", "付款 5 元")
    await answer(env, "取消", "已取消流程")
    env.say(WHO, "确认")
    await env.wait_idle()
    assert not shop.asked


async def test_confirmation_answers_the_latest_question(make_env: MakeEnv, shop: Shop) -> None:
    """A broadcast and a flow both wait for 确认."""
    env = await make_env(**with_shop(shop, flow({"confirm": "付款 5 元"}, CALL, {"say": "付了"})))
    qun = await env.make_group()
    env.say("店长", "/群发 放假通知")
    await env.receives("店长", "确认")
    env.say("店长", "开始")
    await env.receives("店长", "付款 5 元")
    env.say("店长", "确认")
    await env.receives("店长", "付了")
    await env.wait_idle()
    assert not any("放假通知" in m.text for m in env.seen("宋公明", qun["room"]))
    env.say("店长", "确认")
    await env.receives("宋公明", "放假通知", qun["room"])


async def test_long_call_sends_one_progress_message_across_restarts(
    make_env: MakeEnv, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.flows.running_calls.SLOW_SECONDS", 0.3)
    release = asyncio.Event()

    async def slowly(_request: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.json_response({})

    shop.answer = slowly
    env = await make_env(**with_shop(shop, flow(CALL, {"say": "做完了"}), timeout=30))
    await answer(env, "开始", "还在处理")
    monkeypatch.setattr("app.lifecycle.GRACE", 0.5)
    await env.restart_bot()
    await until(lambda: len(shop.asked) == 2, "asked again")
    await asyncio.sleep(0.5)
    release.set()
    await env.receives(WHO, "做完了")
    assert told(env, WHO) == ["还在处理，请稍候……", "做完了"]
    assert len(set(shop.keys)) == 1


async def test_quick_call_sends_no_progress_message(make_env: MakeEnv, shop: Shop) -> None:
    env = await make_env(**with_shop(shop, flow(CALL, {"say": "好了"})))
    await answer(env, "开始", "好了")
    await env.wait_idle()
    assert told(env, WHO) == ["好了"]


async def test_retry_continues_at_the_failed_call(make_env: MakeEnv, shop: Shop) -> None:
    """With its idempotency key, since it may have been carried out, and over a restart."""
    broken = True

    async def second_fails(request: web.Request) -> web.StreamResponse:
        away = broken and request.path == "/second"
        return web.json_response({"n": len(shop.asked)}, status=503 if away else 200)

    shop.answer = second_fails
    second = {"call": {"system": "shop", "path": "/second", "body": {"a": "{a}", "n": "{order.n}"}}}
    env = await make_env(**with_shop(shop, flow({"ask": {"a": "甲？"}}, CALL, second, {"say": "好了"})))
    await answer(env, "开始", "甲？")
    await answer(env, "一", "试失败：商店暂时没有应答，请稍后再试\n回复“重试”从出错的这一步继续。")
    await answer(env, "重试", "试失败")
    await env.restart_bot()
    broken = False
    await answer(env, "重试", "好了")
    paths = [path for _, path, _ in shop.asked]
    assert paths == ["/orders", *["/second"] * 5]
    assert len(set(shop.keys[1:])) == 1
    assert shop.asked[-1][2] == {"a": "一", "n": 1}
    assert sorted(await runs(env.bot.container)) == ["failed", "failed", "finished"]
    env.say(WHO, "重试")  # there is nothing to take up
    await env.receives(WHO, "抱歉，我没听懂")


async def test_rejected_call_is_repeated_on_retry(make_env: MakeEnv, shop: Shop) -> None:
    refuse = True

    async def reply(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "余额不足"}, status=402 if refuse else 200)

    shop.answer = reply
    env = await make_env(**with_shop(shop, flow(CALL, {"say": "好了"})))
    await answer(env, "开始", "试失败：余额不足")
    refuse = False
    await answer(env, "重试", "好了")
    assert len(set(shop.keys)) == 2


async def test_rejected_result_is_requested_again_on_retry(make_env: MakeEnv, shop: Shop) -> None:
    """The step that handed out the address is done again, with a new one; the old one stays answered."""
    env = await make_env(**with_shop(shop, flow(HAND_OUT, WAIT, {"say": "好了"})))
    env.say(WHO, "开始")
    await until(lambda: shop.asked, "asked")
    first = shop.asked[0][2]["callback"].removeprefix(env.url)
    await env.wait_idle()
    await env.call("POST", first, {"status": "failed", "message": "拒绝"})
    await env.receives(WHO, "试失败：拒绝")
    assert told(env, WHO) == ["试失败：拒绝"]
    env.say(WHO, "重试")
    await until(lambda: len(shop.asked) == 2, "asked again")
    second = shop.asked[1][2]["callback"].removeprefix(env.url)
    assert second != first
    assert len(set(shop.keys)) == 2
    status, _, _ = await env.call("POST", first, {"status": "success"})
    assert status == 200
    await env.wait_idle()
    assert "好了" not in told(env, WHO)
    await env.call("POST", second, {"status": "success"})
    await env.receives(WHO, "好了")


@pytest.mark.parametrize("when", ["before 重试", "after 重试"])
async def test_late_result_of_an_earlier_step_reaches_a_retried_run(make_env: MakeEnv, shop: Shop, when: str) -> None:
    broken = True

    async def reply(request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=400 if broken and request.path == "/second" else 200)

    shop.answer = reply
    second = {"call": {"system": "shop", "path": "/second", "body": {}}}
    env = await make_env(**with_shop(shop, flow(HAND_OUT, second, WAIT, {"say": "好了"})))
    await answer(env, "开始", "试失败：商店没有接受请求（400）")
    address = shop.asked[0][2]["callback"].removeprefix(env.url)
    broken = False
    if when == "before 重试":
        await env.call("POST", address, {"status": "success"})
        await env.receives(WHO, "已经结束，但收到了结果")
        env.say(WHO, "重试")
    else:
        env.say(WHO, "重试")
        await until(lambda: len(shop.asked) == 3, "asked again")
        await env.wait_idle()
        await env.call("POST", address, {"status": "success"})
    await env.receives(WHO, "好了")


async def test_data_of_a_failed_run_is_deleted(make_env: MakeEnv, shop: Shop) -> None:
    """After a day, and as soon as another flow begins."""

    async def no(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=400)

    shop.answer = no
    other = {**flow({"say": "另一个好了"}), "name": "另", "start": ["另一个"]}
    env = await make_env(**with_shop(shop, flow({"ask": {"a": "甲？"}}, CALL), other))

    async def kept() -> list[bool]:
        store = env.bot.container.store
        ids = range(1, len(await runs(env.bot.container)) + 1)
        rows = await store.read(lambda s: [s.get_one(FlowRun, number) for number in ids])
        return [bool(row.values) for row in rows]

    await answer(env, "开始", "甲？")
    await answer(env, "一", "试失败")
    assert await kept() == [True]
    await answer(env, "另一个", "另一个好了")
    assert await kept() == [False, False]
    await answer(env, "重试", "没听懂")
    await answer(env, "开始", "甲？")
    await answer(env, "一", "试失败")
    assert await kept() == [False, False, True]
    env.ahead = 24 * 3600 + 1
    await env.bot.container.flow_expiry.expire()
    assert await kept() == [False, False, False]
    before = len(shop.asked)
    env.say(WHO, "重试")
    await env.wait_idle()
    assert len(shop.asked) == before


async def test_retry_requires_permission_to_start(make_env: MakeEnv, shop: Shop) -> None:
    async def no(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=400)

    shop.answer = no
    env = await make_env(**with_shop(shop, flow(CALL, allow="owners")))
    await env.make_group()
    env.say("宋公明", "开始")
    await env.receives("宋公明", "试失败")
    quns = list(env.bot.container.groups)
    await env.call("DELETE", f"/wxbot/qun/{quns[0].number}")
    env.say("宋公明", "重试")
    await env.receives("宋公明", "您没有权限执行此命令。")
    assert len(shop.asked) == 1
