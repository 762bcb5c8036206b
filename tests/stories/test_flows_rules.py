"""Rules of flows: permissions, and systems that are slow, early, unreachable, or return invalid data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import stamina
from aiohttp import web

from tests.stories.business import api_section, free_port, runs, serving, told
from tests.stories.conftest import BotEnvironment, MakeEnv, until
from tests.stories.group_life import add_members, transfer_group
from tests.stories.service import known, service, staff_room

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Shop:
    """A business system with configurable responses."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: list[str] = []
        self.asked: list[tuple[str, str, Any]] = []
        self.answer: Reply | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers["Idempotency-Key"])
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.raw_path, body))
        return await self.answer(request) if self.answer else web.json_response({"ok": True})


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    one = Shop()
    async with serving(one.handle) as url:
        one.url = url
        yield one


@pytest.fixture(autouse=True)
def no_waits() -> Any:
    """Retries happen at once, with the usual number."""
    with stamina.set_testing(True, attempts=4):
        yield


def flow(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a flow that everybody may start with 开始."""
    return {"name": "试", "start": ["开始"], "allow": "everyone", "steps": list(steps), **more}


CALL = {"call": {"system": "shop", "path": "/orders", "body": {"n": 1}, "into": "order"}}
WAIT = {"wait": {"callback": "result", "hours": 1, "expect": {"status": "success"}}}
HAND_OUT = {"call": {"system": "shop", "path": "/orders", "body": {"callback": "{callback_url}"}, "into": "order"}}


def with_shop(shop: Shop, *flows: dict[str, Any], **section: Any) -> dict[str, Any]:
    """Return a config with these flows and the shop as their system."""
    systems = {"shop": {"title": "商店", "base_url": shop.url, "timeout": 2, **section}}
    return {"systems": systems, "flows": list(flows), "api": api_section(free_port())}


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


# ---- systems ----


async def test_values_are_sent_unchanged(make_env: MakeEnv, shop: Shop) -> None:
    answer = {"n": 3, "deep": {"list": [True, None, "x"]}, "name": "a/b c?d=宋"}

    async def reply(_request: web.Request) -> web.StreamResponse:
        return web.json_response(answer)

    shop.answer = reply
    body = {
        "n": "{order.n}",
        "text": "n={order.n}",
        "all": "{order.deep}",
        "one": ["{order.deep.list.1}"],
        "who": "{person}",
    }
    second = {
        "call": {"system": "shop", "method": "PUT", "path": "/x/{order.name}?n={order.n}", "body": body, "into": "b"}
    }
    third = {"call": {"system": "shop", "method": "GET", "path": "/last"}}
    env = await make_env(**with_shop(shop, flow(CALL, second, third, {"say": "{order.deep}"})))
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", '{"list": [true, null, "x"]}')
    assert shop.asked[1:] == [
        (
            "PUT",
            "/x/a%2Fb%20c%3Fd%3D%E5%AE%8B?n=3",
            {"n": 3, "text": "n=3", "all": answer["deep"], "one": [None], "who": "wxid_heixuanfeng"},
        ),
        ("GET", "/last", None),
    ]


@pytest.mark.parametrize("name", [".", ".."])
async def test_value_cannot_change_the_path(make_env: MakeEnv, shop: Shop, name: str) -> None:
    call = {"call": {"system": "shop", "method": "PUT", "path": "/a/{name}/b"}}
    env = await make_env(**with_shop(shop, flow({"ask": {"name": "谁？"}}, call)))
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "谁？")
    env.say("黑旋风", name)
    await env.receives("黑旋风", "试失败：缺少name")
    assert not shop.asked


async def test_failed_call_is_retried_with_the_same_key(make_env: MakeEnv, shop: Shop) -> None:
    async def third_time(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=503 if len(shop.keys) < 4 else 200)

    shop.answer = third_time
    env = await make_env(**with_shop(shop, flow(CALL, CALL, {"say": "好了"})))
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "好了")
    assert len(shop.keys) == 5
    assert len(set(shop.keys[:4])) == 1
    assert shop.keys[4] != shop.keys[3]


async def test_call_to_a_failing_system_is_given_up(make_env: MakeEnv, shop: Shop) -> None:
    async def down(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=500)

    shop.answer = down
    env = await make_env(**with_shop(shop, flow(CALL)))
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "试失败：商店暂时没有应答，请稍后再试")
    assert len(shop.keys) == 4


async def test_unreachable_and_unresponsive_systems(make_env: MakeEnv, shop: Shop) -> None:
    async def never(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    shop.answer = never
    config = with_shop(shop, flow(CALL), timeout=0.1)
    config["systems"]["gone"] = {"base_url": f"http://127.0.0.1:{free_port()}", "timeout": 1}
    nobody = {"call": {"system": "gone", "path": "/"}}
    config["flows"].append({**flow(nobody), "name": "空", "start": ["空"]})
    env = await make_env(**config)
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "试失败：商店暂时没有应答，请稍后再试")
    assert len(shop.keys) == 4
    env.say("黑旋风", "空")
    await env.receives("黑旋风", "空失败：gone暂时没有应答，请稍后再试")


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, '{"message": "门店\\n不存在"}', "门店 不存在"),
        (404, '{"error": {"code": 1, "message": "没有"}}', "没有"),
        (409, "<html>", "商店没有接受请求（409）"),
        (302, "{}", "商店没有接受请求（302）"),
        (200, "[]", "商店的应答无法识别"),
        (200, '"ok"', "商店的应答无法识别"),
        (200, "", "商店的应答无法识别"),
        (200, '{"a": 1e999}', "商店的应答无法识别"),
        (200, "{" * 100_000, "商店的应答无法识别"),
        (200, '{"a": "' + "x" * 300_000 + '"}', "商店的应答无法识别"),
        (200, '{"other": 1}', "缺少order.code"),
        (200, '{"code": null}', "缺少order.code"),
    ],
)
async def test_invalid_response_ends_the_flow(make_env: MakeEnv, shop: Shop, status: int, body: str, says: str) -> None:
    async def reply(_request: web.Request) -> web.StreamResponse:
        headers = {"Location": "/elsewhere"} if status == 302 else {}
        return web.Response(status=status, text=body, content_type="application/json", headers=headers)

    shop.answer = reply
    env = await make_env(**with_shop(shop, flow(CALL, {"say": "{order.code}"})))
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", f"试失败：{says}")
    assert len(shop.keys) == 1


async def test_unstorable_text_ends_the_flow(make_env: MakeEnv, shop: Shop) -> None:
    async def reply(_request: web.Request) -> web.StreamResponse:
        return web.Response(text='{"code": "a\\u0000b\\ud800c"}', content_type="application/json")

    shop.answer = reply
    env = await make_env(**with_shop(shop, flow(CALL, {"say": "码：{order.code}"})))
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "码：abc")


# ---- callbacks ----


async def test_early_callback_is_kept(make_env: MakeEnv, shop: Shop) -> None:
    """The system calls back before it has answered the call."""
    env: BotEnvironment

    async def early(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        endless = b'{"status": "success", "code": 1e999}'  # written out again it would be Infinity, which is no JSON
        async with env.http.post(body["callback"], data=endless) as response:
            assert response.status == 400
        async with env.http.post(body["callback"], json={"status": "success", "code": 7}) as response:
            assert response.status == 200
        return web.json_response({})

    shop.answer = early
    env = await make_env(**with_shop(shop, flow(HAND_OUT, WAIT, {"say": "码{result.code}"})))
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "码7")


async def test_callback_of_a_failed_call_is_reported(make_env: MakeEnv, shop: Shop) -> None:
    """The system executes the call and calls back, but its response is always lost."""
    env: BotEnvironment

    async def lost(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        await env.http.post(body["callback"], json={"status": "success", "message": "已授权"})
        return web.json_response({}, status=502)

    shop.answer = lost
    env = await make_env(**with_shop(shop, flow(HAND_OUT, WAIT, {"say": "成了"})))
    env.say("黑旋风", "开始")
    await env.receives("黑旋风", "已经结束，但收到了结果：已授权")
    assert len(shop.keys) == 4
    await env.wait_idle()
    words = told(env, "黑旋风")
    assert words[0] == "试失败：商店暂时没有应答，请稍后再试\n回复“重试”从出错的这一步继续。"
    assert len(words) == 2


async def test_each_wait_has_its_own_callback_url(make_env: MakeEnv, shop: Shop) -> None:
    wait = {"wait": {"callback": "again", "expect": {"ok": True}}}
    steps = (HAND_OUT, WAIT, HAND_OUT, wait, {"say": "{result.n}{again.n}"})
    env = await make_env(**with_shop(shop, flow(*steps, failed="没成：{error}")))
    env.say("黑旋风", "开始")
    await until(lambda: len(shop.asked) == 1, "the first call")
    first = shop.asked[0][2]["callback"]
    for _ in range(2):  # the second one is a repeat, not the result of the next step
        await env.call("POST", first.removeprefix(env.url), {"status": "success", "n": 1})
    await until(lambda: len(shop.asked) == 2, "the second call")
    second = shop.asked[1][2]["callback"]
    assert second != first
    await env.wait_idle()
    await env.call("POST", second.removeprefix(env.url), {"ok": 1, "n": 2})  # 1 is not true
    await env.receives("黑旋风", "没成：对方没有说明原因")


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
