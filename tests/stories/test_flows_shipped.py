"""The two shipped flows end to end: WeChat on one side, 云商城 and HiPOS 云 on the other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from sandbox.systems import SystemRequest, Systems, call_back
from tests.ports import free_port
from tests.stories.business import Receiver, receiving, runs, shipped_config, stand_ins, told
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.official_environment import AnyEnvironment, MakeAny, make_any
from tests.waiting import until

__all__ = ["make_any"]


@pytest.fixture
async def systems() -> AsyncIterator[Systems]:
    async with stand_ins() as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
async def any_env(make_any: MakeAny, systems: Systems, receiver: Receiver) -> AnyEnvironment:
    return await make_any(webhooks=[receiver.config], **shipped_config(systems, free_port()))


@pytest.fixture
async def env(make_env: MakeEnv, systems: Systems, receiver: Receiver) -> BotEnvironment:
    return await make_env(webhooks=[receiver.config], **shipped_config(systems, free_port()))


async def start_device_flow(env: AnyEnvironment, systems: Systems, store: str) -> SystemRequest:
    """Start the device flow as 店长; return the request to HiPOS 云, once 店长 has the code."""
    env.say("店长", "增加POS机")
    await env.receives("店长", "请问哪家门店？")
    env.say("店长", store)
    message = await env.receives("店长", "设备授权码：")
    asked = next(request for request in systems.request_log.requests if request.body["store"] == store)
    assert message.text == f"设备授权码：{asked.answer['code']}，正在等待授权结果。"
    return asked


async def test_merchant_and_payment_settings(any_env: AnyEnvironment, systems: Systems, receiver: Receiver) -> None:
    """商户资料及支付设置: questions, one call to 云商城, two to HiPOS 云, and the final message."""
    any_env.say("店长", " 商户设置 ")
    await any_env.receives("店长", "请问商户名称？")
    any_env.say("店长", "梁山酒店/一号 100%")
    await any_env.receives("店长", "请发送支付设置")
    any_env.say("店长", "6222021234567890")  # as long as a join token
    summary = await any_env.receives(
        "店长", "请核对商户设置：\n商户名称：梁山酒店/一号 100%\n支付设置：6222021234567890"
    )
    assert "回复“确认”继续，回复“取消”结束。" in summary.text
    any_env.say("店长", "好")
    await any_env.receives("店长", "请回复“确认”继续")
    await any_env.wait_idle()
    assert not systems.request_log.requests
    any_env.say("店长", "确认")
    await any_env.receives("店长", "商户设置完成：梁山酒店/一号 100%")
    name, payment = "梁山酒店/一号 100%", "6222021234567890"
    assert [
        (request.system, request.method, request.path, request.body) for request in systems.request_log.requests
    ] == [
        ("yunmall", "POST", "/payments", {"merchant": name, "payment": payment}),
        ("hipos", "PUT", f"/merchants/{name}", {"name": name}),
        ("hipos", "PUT", f"/merchants/{name}/payment", {"merchant": name, "payment": payment}),
    ]
    assert len({request.key for request in systems.request_log.requests}) == 3
    assert [request.repeats for request in systems.request_log.requests] == [0, 0, 0]
    await any_env.wait_idle()
    assert len(told(any_env)) == 5
    finished = (await until(lambda: receiver.of("flow.finished"), "told"))[0]
    assert (finished["flow"], finished["state"]) == ("商户资料及支付设置", "finished")
    assert (finished["contact_id"], finished["assistant"]) == (any_env.id("店长"), any_env.accounts[0])


async def test_device_is_added_by_callback(any_env: AnyEnvironment, systems: Systems) -> None:
    asked = await start_device_flow(any_env, systems, "忠义堂一号店")
    assert asked.body["callback"].startswith(f"{any_env.url}/wxbot/callback/")
    assert await call_back(systems.request_log, asked, "success")
    await any_env.receives("店长", "增加POS机成功：忠义堂一号店")


async def test_rejected_device_is_reported_with_its_reason(
    env: BotEnvironment, systems: Systems, receiver: Receiver
) -> None:
    asked = await start_device_flow(env, systems, "断金亭")
    await call_back(systems.request_log, asked, "failed")
    await env.receives("店长", "增加POS机失败：门店拒绝了授权")
    finished = (await until(lambda: receiver.of("flow.finished"), "told"))[0]
    assert (finished["state"], finished["error"]) == ("failed", "门店拒绝了授权")


async def test_repeated_callback_has_no_effect(env: BotEnvironment, systems: Systems) -> None:
    asked = await start_device_flow(env, systems, "一店")
    for result in ("success", "failed", "success"):
        async with env.http.post(asked.callback, json={"status": result}) as response:
            assert response.status == 200
            assert await response.json() == {"callback_response": {"received": "ok"}}
    await env.receives("店长", "增加POS机成功：一店")
    await env.wait_idle()
    assert [text for text in told(env) if "成功" in text or "失败" in text] == ["增加POS机成功：一店"]


async def test_invalid_callbacks_are_rejected(env: BotEnvironment, systems: Systems) -> None:
    asked = await start_device_flow(env, systems, "一店")
    bodies: list[object] = [{"status": "success"}, [], "x" * 70_000, None]
    for body in bodies:
        status, answer, _ = await env.call("POST", "/wxbot/callback/" + "A" * 32, body)
        assert (status, answer["error"]["code"]) == (404, 1004), str(body)[:20]
    path = asked.callback.removeprefix(env.url)
    no_objects: list[object] = [[], "success", 1, None]
    for body in no_objects:
        status, answer, _ = await env.call("POST", path, body)
        assert (status, answer["error"]["code"]) == (400, 1001), body
    status, answer, _ = await env.call("POST", path, {"status": "x" * 70_000})
    assert (status, answer["error"]["code"]) == (413, 1006)
    status, answer, _ = await env.call("GET", path)
    assert (status, answer["error"]["code"]) == (405, 1005)
    status, _, _ = await env.call("POST", path, {"status": "success"})  # the flow still waits
    assert status == 200
    await env.receives("店长", "增加POS机成功：一店")


async def test_callback_from_outside_the_network_is_rejected(make_env: MakeEnv, systems: Systems) -> None:
    config = shipped_config(systems, free_port())
    config["api"] |= {"allowed_networks": ["10.0.0.0/8"]}
    env = await make_env(**config)
    asked = await start_device_flow(env, systems, "一店")
    assert not await call_back(systems.request_log, asked, "success")
    async with aiohttp.ClientSession() as http, http.post(asked.callback, json={}) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (403, 1002)
    assert await runs(env.bot.container) == ["waiting"]


async def test_wait_survives_restarts(env: BotEnvironment, systems: Systems) -> None:
    asked = await start_device_flow(env, systems, "一店")
    await env.stop_bot()
    assert not await call_back(systems.request_log, asked, "success")
    await env.start_bot()
    assert await call_back(systems.request_log, asked, "success")
    await env.receives("店长", "增加POS机成功：一店")


async def test_timeout_is_reported_and_late_result_too(make_env: MakeEnv, systems: Systems, receiver: Receiver) -> None:
    config = shipped_config(systems, free_port())
    config["flows"][1]["steps"][3]["wait"]["hours"] = 1 / 3600
    env = await make_env(webhooks=[receiver.config], **config)
    asked = await start_device_flow(env, systems, "一店")
    await env.receives("店长", "增加POS机失败：等待结果超时")
    for _ in range(2):
        assert await call_back(systems.request_log, asked, "success")
    received = await env.receives("店长", "但收到了结果")
    assert received.text.endswith('发起的流程“增加POS机”已经结束，但收到了结果：{"status": "success"}')
    await until(lambda: receiver.of("flow.late"), "told")
    await env.wait_idle()
    (late,) = receiver.of("flow.late")
    assert (late["flow"], late["state"], late["result"]) == ("增加POS机", "failed", '{"status": "success"}')
    assert [text for text in told(env) if "结果：" in text] == [received.text]


async def test_result_after_cancel_is_not_reported(env: BotEnvironment, systems: Systems, receiver: Receiver) -> None:
    asked = await start_device_flow(env, systems, "一店")
    env.say("店长", "“取消”")
    await env.receives("店长", "已取消流程“增加POS机”。")
    assert await call_back(systems.request_log, asked, "failed")
    (late,) = await until(lambda: receiver.of("flow.late"), "told")
    assert (late["state"], late["result"]) == ("cancelled", "门店拒绝了授权")
    await env.wait_idle()
    assert told(env)[-1] == "已取消流程“增加POS机”。"


@pytest.mark.parametrize("text", ["增加pos机", "增加 POS机", "增加ＰＯＳ机。", "“增加POS机”。"])
async def test_start_word_matches_in_any_form(env: BotEnvironment, text: str) -> None:
    env.say("店长", text)
    await env.receives("店长", "请问哪家门店？")


async def test_failing_system_ends_the_flow_with_its_reason(env: BotEnvironment, systems: Systems) -> None:
    systems.request_log.modes["hipos"] = "refuse"
    env.say("店长", "增加POS机")
    await env.receives("店长", "请问哪家门店？")
    env.say("店长", "一店")
    await env.receives("店长", "增加POS机失败：资料未通过审核")
    systems.request_log.modes["hipos"] = "garbage"
    env.say("店长", "增加POS机")
    await until(lambda: len(told(env)) == 3, "asked again")
    env.say("店长", "二店")
    await env.receives("店长", "增加POS机失败：HiPOS 云的应答无法识别")
