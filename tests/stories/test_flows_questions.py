"""Flows that offer a choice, check answers, ask for a confirmation, and are taken up again after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import stamina
from aiohttp import web

from models.flows import FlowRun
from tests.stories.business import runs, serving, told
from tests.stories.conftest import MakeTown, Town, until
from tests.stories.test_flows_rules import CALL, HAND_OUT, WAIT, Shop, flow, with_shop

WHO = "黑旋风"
PLAN = {"choose": {"plan": {"question": "{store}要哪种？", "options": {"月付": "monthly", "年付": "yearly"}}}}
ASK = {"ask": {"store": "哪家？", "n": {"question": "几台？", "check": {"min": 1, "max": 9, "words": "1 到 9 台。"}}}}
CONFIRM = {"confirm": "{store}：{n} 台，{plan}"}
ORDER = {"call": {"system": "shop", "path": "/orders", "body": {"n": "{n}", "plan": "{plan}"}, "into": "order"}}


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    one = Shop()
    async with serving(one.handle) as url:
        one.url = url
        yield one


@pytest.fixture(autouse=True)
def no_waits() -> Any:
    with stamina.set_testing(True, attempts=2):
        yield


async def says(town: Town, words: str, hears: str) -> None:
    """He says something and hears an answer to it."""
    before = len(told(town, WHO))
    town.say(WHO, words)
    await until(lambda: any(hears in line for line in told(town, WHO)[before:]), f"{words!r} is answered {hears!r}")


async def test_choices_and_checks_across_restarts(make_town: MakeTown, shop: Shop) -> None:
    town = await make_town(**with_shop(shop, flow(ASK, PLAN, CONFIRM, ORDER, {"say": "好了"})))
    await says(town, "开始", "哪家？")
    await says(town, "一店", "几台？")
    await says(town, "10", "1 到 9 台。")
    await town.restart_bot()
    await says(town, "３", "一店要哪种？\n1. 月付\n2. 年付\n请回复前面的数字。")
    await says(town, "季付", "没有这个选项。请回复 1 到 2 之间的数字")
    await town.restart_bot()
    await says(town, "2", "一店：3 台，yearly\n回复“确认”继续")
    await says(town, "嗯", "请回复“确认”继续")
    await town.restart_bot()
    assert not shop.asked
    await says(town, "“确认”", "好了")
    assert [body for _, _, body in shop.asked] == [{"n": 3, "plan": "yearly"}]


async def test_unconfirmed_step_is_not_executed(make_town: MakeTown, shop: Shop) -> None:
    town = await make_town(**with_shop(shop, flow({"confirm": "付款 5 元"}, CALL)))
    await says(town, "开始", "付款 5 元")
    await says(town, "取消", "已取消流程")
    town.say(WHO, "确认")
    await town.quiet()
    assert not shop.asked


async def test_confirmation_answers_the_latest_question(make_town: MakeTown, shop: Shop) -> None:
    """A broadcast and a flow both wait for 确认."""
    town = await make_town(**with_shop(shop, flow({"confirm": "付款 5 元"}, CALL, {"say": "付了"})))
    qun = await town.make_group()
    town.say("店长", "/群发 放假通知")
    await town.hears("店长", "确认")
    town.say("店长", "开始")
    await town.hears("店长", "付款 5 元")
    town.say("店长", "确认")
    await town.hears("店长", "付了")
    await town.quiet()
    assert not any("放假通知" in m.text for m in town.seen("宋公明", qun["room"]))
    town.say("店长", "确认")
    await town.hears("宋公明", "放假通知", qun["room"])


async def test_long_call_sends_one_progress_message_across_restarts(
    make_town: MakeTown, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.flows.running_calls.SLOW_SECONDS", 0.3)
    release = asyncio.Event()

    async def slowly(_request: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.json_response({})

    shop.answer = slowly
    town = await make_town(**with_shop(shop, flow(CALL, {"say": "做完了"}), timeout=30))
    await says(town, "开始", "还在处理")
    monkeypatch.setattr("app.lifecycle.GRACE", 0.5)
    await town.restart_bot()
    await until(lambda: len(shop.asked) == 2, "asked again")
    await asyncio.sleep(0.5)
    release.set()
    await town.hears(WHO, "做完了")
    assert told(town, WHO) == ["还在处理，请稍候……", "做完了"]
    assert len(set(shop.keys)) == 1


async def test_quick_call_sends_no_progress_message(make_town: MakeTown, shop: Shop) -> None:
    town = await make_town(**with_shop(shop, flow(CALL, {"say": "好了"})))
    await says(town, "开始", "好了")
    await town.quiet()
    assert told(town, WHO) == ["好了"]


async def test_retry_continues_at_the_failed_call(make_town: MakeTown, shop: Shop) -> None:
    """With its idempotency key, since it may have been carried out, and over a restart."""
    broken = True

    async def second_fails(request: web.Request) -> web.StreamResponse:
        away = broken and request.path == "/second"
        return web.json_response({"n": len(shop.asked)}, status=503 if away else 200)

    shop.answer = second_fails
    second = {"call": {"system": "shop", "path": "/second", "body": {"a": "{a}", "n": "{order.n}"}}}
    town = await make_town(**with_shop(shop, flow({"ask": {"a": "甲？"}}, CALL, second, {"say": "好了"})))
    await says(town, "开始", "甲？")
    await says(town, "一", "试失败：商店暂时没有应答，请稍后再试\n回复“重试”从出错的这一步继续。")
    await says(town, "重试", "试失败")
    await town.restart_bot()
    broken = False
    await says(town, "重试", "好了")
    paths = [path for _, path, _ in shop.asked]
    assert paths == ["/orders", *["/second"] * 5]
    assert len(set(shop.keys[1:])) == 1
    assert shop.asked[-1][2] == {"a": "一", "n": 1}
    assert sorted(await runs(town.bot.container)) == ["failed", "failed", "finished"]
    town.say(WHO, "重试")  # there is nothing to take up
    await town.hears(WHO, "抱歉，我没听懂")


async def test_rejected_call_is_repeated_on_retry(make_town: MakeTown, shop: Shop) -> None:
    refuse = True

    async def reply(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "余额不足"}, status=402 if refuse else 200)

    shop.answer = reply
    town = await make_town(**with_shop(shop, flow(CALL, {"say": "好了"})))
    await says(town, "开始", "试失败：余额不足")
    refuse = False
    await says(town, "重试", "好了")
    assert len(set(shop.keys)) == 2


async def test_rejected_result_is_requested_again_on_retry(make_town: MakeTown, shop: Shop) -> None:
    """The step that handed out the address is done again, with a new one; the old one stays answered."""
    town = await make_town(**with_shop(shop, flow(HAND_OUT, WAIT, {"say": "好了"})))
    town.say(WHO, "开始")
    await until(lambda: shop.asked, "asked")
    first = shop.asked[0][2]["callback"].removeprefix(town.url)
    await town.quiet()
    await town.call("POST", first, {"status": "failed", "message": "拒绝"})
    await town.hears(WHO, "试失败：拒绝")
    assert told(town, WHO) == ["试失败：拒绝"]
    town.say(WHO, "重试")
    await until(lambda: len(shop.asked) == 2, "asked again")
    second = shop.asked[1][2]["callback"].removeprefix(town.url)
    assert second != first
    assert len(set(shop.keys)) == 2
    status, _, _ = await town.call("POST", first, {"status": "success"})
    assert status == 200
    await town.quiet()
    assert "好了" not in told(town, WHO)
    await town.call("POST", second, {"status": "success"})
    await town.hears(WHO, "好了")


@pytest.mark.parametrize("when", ["before 重试", "after 重试"])
async def test_late_result_of_an_earlier_step_reaches_a_retried_run(make_town: MakeTown, shop: Shop, when: str) -> None:
    broken = True

    async def reply(request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=400 if broken and request.path == "/second" else 200)

    shop.answer = reply
    second = {"call": {"system": "shop", "path": "/second", "body": {}}}
    town = await make_town(**with_shop(shop, flow(HAND_OUT, second, WAIT, {"say": "好了"})))
    await says(town, "开始", "试失败：商店没有接受请求（400）")
    address = shop.asked[0][2]["callback"].removeprefix(town.url)
    broken = False
    if when == "before 重试":
        await town.call("POST", address, {"status": "success"})
        await town.hears(WHO, "已经结束，但收到了结果")
        town.say(WHO, "重试")
    else:
        town.say(WHO, "重试")
        await until(lambda: len(shop.asked) == 3, "asked again")
        await town.quiet()
        await town.call("POST", address, {"status": "success"})
    await town.hears(WHO, "好了")


async def test_data_of_a_failed_run_is_deleted(make_town: MakeTown, shop: Shop) -> None:
    """After a day, and as soon as another flow begins."""

    async def no(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=400)

    shop.answer = no
    other = {**flow({"say": "另一个好了"}), "name": "另", "start": ["另一个"]}
    town = await make_town(**with_shop(shop, flow({"ask": {"a": "甲？"}}, CALL), other))

    async def kept() -> list[bool]:
        store = town.bot.container.store
        ids = range(1, len(await runs(town.bot.container)) + 1)
        rows = await store.read(lambda s: [s.get_one(FlowRun, number) for number in ids])
        return [bool(row.values) for row in rows]

    await says(town, "开始", "甲？")
    await says(town, "一", "试失败")
    assert await kept() == [True]
    await says(town, "另一个", "另一个好了")
    assert await kept() == [False, False]
    await says(town, "重试", "没听懂")
    await says(town, "开始", "甲？")
    await says(town, "一", "试失败")
    assert await kept() == [False, False, True]
    town.ahead = 24 * 3600 + 1
    await town.bot.container.flow_expiry.expire()
    assert await kept() == [False, False, False]
    before = len(shop.asked)
    town.say(WHO, "重试")
    await town.quiet()
    assert len(shop.asked) == before


async def test_retry_requires_permission_to_start(make_town: MakeTown, shop: Shop) -> None:
    async def no(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=400)

    shop.answer = no
    town = await make_town(**with_shop(shop, flow(CALL, allow="owners")))
    await town.make_group()
    town.say("宋公明", "开始")
    await town.hears("宋公明", "试失败")
    quns = list(town.bot.container.groups)
    await town.call("DELETE", f"/wxbot/qun/{quns[0].number}")
    town.say("宋公明", "重试")
    await town.hears("宋公明", "您没有权限执行此命令。")
    assert len(shop.asked) == 1
