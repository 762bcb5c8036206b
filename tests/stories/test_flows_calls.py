"""Calls of flows to business systems, and their callbacks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import stamina
from aiohttp import web

from tests.ports import free_port
from tests.services.flow_parts import CALL, HAND_OUT, flow
from tests.stories.business import told
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.flow_shop import WAIT, Shop, shop, with_shop
from tests.waiting import until

__all__ = ["shop"]


@pytest.fixture(autouse=True)
def no_waits() -> Any:
    """Retries happen at once, with the usual number."""
    with stamina.set_testing(True, attempts=4):
        yield


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
    text = told(env, "黑旋风")
    assert text[0] == "试失败：商店暂时没有应答，请稍后再试\n回复“重试”从出错的这一步继续。"
    assert len(text) == 2


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
