"""Webhook events that failed or stayed queued: kept, resent, sent after a restart, given up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ports import free_port
from tests.stories.business import Receiver
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.quick_webhooks import failed, open_env, receiver
from tests.waiting import until
from tests.web_server import serving

__all__ = ["receiver"]


async def test_failed_event_is_kept_and_can_be_resent(make_env: MakeEnv, receiver: Receiver) -> None:
    """The event fails after its time, later ones are delivered; it can be sent again by REST and chat."""

    async def no(_event: dict[str, Any]) -> int:
        return 503

    receiver.answer = no
    env = await open_env(make_env, receiver.config)
    env.bot.container.webhooks.give_up_after = 0.2
    qun = await env.make_group()
    await env.join(qun["token"], "黑旋风")
    await env.wait_idle()
    lost = await failed(env, 3)
    assert [(item["type"], item["error"], item["state"]) for item in lost] == [
        ("member.joined", "HTTP 503", "failed"),
        ("qun.created", "HTTP 503", "failed"),
        ("assistant.online", "HTTP 503", "failed"),
    ]
    receiver.answer = None
    status, answer, _ = await env.call("POST", f"/wxbot/webhook/{lost[1]['id']}/resend")
    assert (status, answer["webhook"]["state"], answer["webhook"]["attempts"]) == (202, "queued", 0)
    await until(lambda: receiver.types() == ["qun.created"], "sent again")
    assert receiver.events[0]["id"] == lost[1]["event"]
    await env.wait_idle()
    # already delivered: no effect
    status, answer, _ = await env.call("POST", f"/wxbot/webhook/{lost[1]['id']}/resend")
    assert (status, answer["webhook"]["state"]) == (202, "sent")
    env.say("店长", "/重发")
    message = await env.receives("店长", "没有送达的通知")
    assert f"#{lost[0]['id']} member.joined" in message.text
    env.say("店长", "/重发 9999")
    await env.receives("店长", "没有编号为 9999 的未送达通知。")
    env.say("店长", "/重发 全部")
    await env.receives("店长", "正在重新发送 2 条通知。")
    await until(lambda: len(receiver.events) == 3, "all sent")
    assert sorted(receiver.types()) == ["assistant.online", "member.joined", "qun.created"]
    assert await failed(env, 0) == []
    env.say("黑旋风", "/重发")
    await env.receives("黑旋风", "您没有权限执行此命令。")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/wxbot/webhook/424242/resend", 404, 1004),
        ("POST", "/wxbot/webhook/x/resend", 404, 1004),
        ("GET", "/wxbot/webhook?state=lost", 400, 1001),
        ("GET", "/wxbot/webhook/1/resend", 405, 1005),
    ],
)
async def test_invalid_resend_is_rejected(env: BotEnvironment, method: str, path: str, status: int, code: int) -> None:
    got, answer, _ = await env.call(method, path)
    assert (got, answer["error"]["code"]) == (status, code)


async def test_message_id_is_no_webhook_delivery(env: BotEnvironment) -> None:
    """Messages and webhooks share one series of ids."""
    _, answer, _ = await env.call("POST", "/wxbot/message", {"assistant": "weimi1001", "to": "黑旋风", "text": "好"})
    status, _, _ = await env.call("POST", f"/wxbot/webhook/{answer['message']['id']}/resend")
    assert status == 404


async def test_queued_events_are_sent_after_restart(make_env: MakeEnv) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook"
    env = await open_env(make_env, {"url": url, "secret": "dGVzdHRlc3R0ZXN0dGVzdA=="})
    env.bot.container.webhooks.waits = (0.5,)
    qun = await env.make_group()
    await env.join(qun["token"], "黑旋风")
    await env.stop_bot()
    late = Receiver("dGVzdHRlc3R0ZXN0dGVzdA==")
    async with serving(late.handle, port):
        await env.start_bot()
        await until(lambda: "member.joined" in late.types(), "told")
        group = [kind for kind in late.types() if not kind.startswith("assistant")]
        assert group == ["qun.created", "member.joined"]


async def test_removed_webhook_is_given_up(make_env: MakeEnv) -> None:
    url = f"http://127.0.0.1:{free_port()}/hook?key=secret"
    env = await open_env(make_env, {"url": url, "secret": "dGVzdHRlc3R0ZXN0dGVzdA=="})
    env.bot.container.webhooks.waits = (0.5,)
    await env.make_group()
    await env.stop_bot()
    env.extra = {**env.extra, "webhooks": []}
    await env.start_bot()
    await env.wait_idle()
    lost = await failed(env, 2)
    assert {item["error"] for item in lost} == {"no webhook with this name is configured"}
    assert not any("secret" in item["receiver"] for item in lost)
