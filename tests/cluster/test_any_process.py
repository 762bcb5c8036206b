"""Any process answers, forwarding requests to the holder of the account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import select

from app.lifecycle import Bot
from models.flows import FlowCallback
from services.cluster.peers import SECRET_HEADER
from tests.cluster.conftest import ClusterEnvironment, MakeCluster
from tests.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]
FLOW = {
    "name": "等待",
    "start": ["开始"],
    "allow": "everyone",
    "steps": [
        {"say": "地址 {callback_url}"},
        {"wait": {"callback": "result", "hours": 1, "expect": {"status": "success"}}},
        {"say": "完成"},
    ],
    "failed": "失败",
}


async def make_group(env: ClusterEnvironment, bot: Bot, account: str, code: str) -> Any:
    body = {"code": code, "owner": "宋公明", "assistant": account}
    status, answer, _ = await env.call(bot, "POST", "/wxbot/qun", body)
    assert status == 201, answer
    status, answer, _ = await env.call(bot, "GET", "/wxbot/qun", params={"code": code})
    assert status == 200, answer
    return answer["qun"]


async def poll_until(env: ClusterEnvironment, bot: Bot, path: str, is_so: Callable[[Any], bool]) -> Any:
    """Poll a path until the response matches; return it."""
    answer: Any = None

    async def matches() -> bool:
        nonlocal answer
        _, answer, _ = await env.call(bot, "GET", path)
        return is_so(answer)

    await until(matches, lambda: f"{path} answers {answer}")
    return answer


async def test_group_is_managed_at_another_process(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=2, bots=2)
    account = env.accounts[0]
    wrong = env.other(account)
    qun = await make_group(env, wrong, account, "code-1")
    assert (qun["assistant"], qun["members"]) == (account, 3)
    again = {"code": "code-1", "owner": "宋公明", "assistant": account}
    status, answer, _ = await env.call(wrong, "POST", "/wxbot/qun", again)
    assert (status, answer) == (200, {"qun_create_response": {"url": qun["url"]}})
    status, answer, _ = await env.call(
        wrong, "POST", "/wxbot/qun/membership", {"token": qun["token"], "member": "黑旋风"}
    )
    assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}})
    path = f"/wxbot/qun/{qun['number']}"
    status, answer, _ = await env.call(wrong, "PATCH", path, {"topic": "新名"})
    assert (status, answer["qun"]["topic"], answer["qun"]["members"]) == (200, "新名", 4)
    status, answer, _ = await env.call(wrong, "GET", "/wxbot/qun")
    assert [(qun["number"], qun["members"]) for qun in answer["quns"]] == [(qun["number"], 4)]
    page = f"/weiqun/{qun['url'].rpartition('/')[2]}"
    assert (await env.call(wrong, "GET", page))[0] == 200
    assert (await env.call(wrong, "DELETE", path))[0] == 204
    assert (await env.call(wrong, "GET", page))[0] == 410
    status, answer, _ = await env.call(
        env.holder(account), "POST", "/wxbot/qun/membership", {"token": "x", "member": "y"}
    )
    assert (status, answer["error"]["code"]) == (404, 3001)


async def test_same_code_at_two_processes_creates_one_group(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=2, bots=2)
    first, second = env.accounts
    assert env.holder(first) is not env.holder(second)
    bodies = [{"code": "same", "owner": "宋公明", "assistant": account} for account in env.accounts]
    answers = await asyncio.gather(
        *(env.call(env.holder(body["assistant"]), "POST", "/wxbot/qun", body) for body in bodies)
    )
    assert sorted(status for status, _, _ in answers) == [201, 409], answers
    taken = next(answer for status, answer, _ in answers if status == 409)
    assert taken["error"]["code"] == 2005
    made = await asyncio.gather(
        *(make_group(env, bot, account, f"{n}-{account}") for n, bot in enumerate(env.bots) for account in env.accounts)
    )
    numbers = [qun["number"] for qun in made]
    assert len(set(numbers)) == len(numbers)


async def test_same_key_at_two_processes_sends_one_message(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=2, bots=2)
    account = env.accounts[0]
    body = {"assistant": account, "to": "黑旋风", "text": "你好"}
    calls = [env.call(bot, "POST", "/wxbot/message", body, headers={"Idempotency-Key": "k1"}) for bot in env.bots * 2]
    answers = await asyncio.gather(*calls)
    assert {status for status, _, _ in answers} == {202}
    (message,) = {answer["message"]["id"] for _, answer, _ in answers}
    await env.receives("黑旋风", "你好", account)
    for bot in env.bots:
        await poll_until(env, bot, f"/wxbot/message/{message}", lambda answer: answer["message"]["state"] == "sent")
    assert env.seen("黑旋风", account).count("你好") == 1


async def test_broadcast_reaches_groups_of_every_process_once(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=4, bots=2)
    quns = [await make_group(env, env.bots[0], account, f"c-{account}") for account in env.accounts]
    status, answer, _ = await env.call(env.bots[0], "POST", "/wxbot/broadcast", {"all": True, "text": "通知"})
    assert status == 202, answer
    path = f"/wxbot/broadcast/{answer['broadcast']['id']}"
    answer = await poll_until(env, env.bots[1], path, lambda answer: answer["broadcast"]["state"] == "done")
    assert {group["state"] for group in answer["broadcast"]["groups"]} == {"sent"}
    world = env.sandbox.world
    for qun in quns:
        room = next(room for room in world.rooms.of("wxid_songgongming") if room.topic == qun["topic"])
        texts = [m.text for m in world.chats.history("wxid_songgongming", room.id, limit=100)]
        assert texts.count("通知") == 1


async def test_every_process_names_the_holders(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=4, bots=2)
    for bot in env.bots:
        status, answer, _ = await env.call(bot, "GET", "/wxbot/assistant")
        assert status == 200
        shown = {assistant["account"]: (assistant["state"], assistant["holder"]) for assistant in answer["assistants"]}
        assert shown == {account: ("online", env.holder(account).config.cluster.advertise) for account in env.accounts}


async def test_assistant_is_added_and_removed_at_any_process(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=2, bots=2)
    body = {"account": "new1", "endpoint": "127.0.0.1:9", "token": "t", "tls": False}
    status, answer, _ = await env.call(env.bots[0], "POST", "/wxbot/assistant", body)
    assert (status, answer["assistant"]["account"]) == (201, "new1")
    assert answer["assistant"]["holder"] in {bot.config.cluster.advertise for bot in env.bots}
    await until(lambda: sum("new1" in bot.accounts.accounts for bot in env.bots) == 1, "it is served once")
    message = {"assistant": "new1", "to": "a", "text": "b"}
    status, answer, _ = await env.call(env.bots[0], "POST", "/wxbot/message", message)
    assert (status, answer["error"]["code"]) == (503, 2002)
    assert (await env.call(env.bots[1], "DELETE", "/wxbot/assistant/new1"))[0] == 204
    await until(lambda: not any("new1" in bot.accounts.accounts for bot in env.bots), "nobody serves it")
    assert (await env.call(env.bots[1], "DELETE", "/wxbot/assistant/new1"))[0] == 404
    message = {"assistant": "nobody", "to": "a", "text": "b"}
    status, answer, _ = await env.call(env.bots[0], "POST", "/wxbot/message", message)
    assert (status, answer["error"]["code"]) == (404, 2001)


async def test_call_without_holder_returns_503_with_retry_after(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=2, bots=1)
    bot = env.bots[0]
    await env.call(bot, "GET", "/healthz")
    cluster = bot.container.cluster
    assert cluster is not None
    await cluster.member.call(cluster.leases.register_accounts, ["lonely"])
    body = {"assistant": "lonely", "to": "黑旋风", "text": "你好"}
    status, answer, headers = await env.call(bot, "POST", "/wxbot/message", body)
    assert (status, answer["error"]["code"]) == (503, 2002)
    assert int(headers["Retry-After"]) >= 1


async def test_callback_at_another_process_continues_the_flow(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=2, bots=2, flows=[FLOW])
    account = env.accounts[0]
    env.say("黑旋风", "开始", account)
    await env.receives("黑旋风", "地址", account)
    store = env.bots[0].container.store
    (secret,) = await store.read(lambda s: s.exec(select(FlowCallback.secret)).all())
    wrong = env.other(account)
    for _ in range(2):
        status, answer, _ = await env.call(wrong, "POST", f"/wxbot/callback/{secret}", {"status": "success"})
        assert (status, answer) == (200, {"callback_response": {"received": "ok"}})
    await env.receives("黑旋风", "完成", account)
    assert sum("完成" in message for message in env.seen("黑旋风", account)) == 1
    assert (await env.call(wrong, "POST", "/wxbot/callback/unknown-secret", {}))[0] == 404


async def test_internal_calls_are_rejected_from_elsewhere(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=2, bots=1)
    bot = env.bots[0]
    for headers in ({}, {SECRET_HEADER: "guess"}):
        status, answer, _ = await env.call(bot, "GET", "/cluster/assistants", headers=headers)
        assert (status, answer["error"]["code"]) == (403, 1002)
    assert (await env.call(bot, "GET", "/wxbot/qun", headers={SECRET_HEADER: "guess"}))[0] == 403
    assert bot.container.cluster is not None
    secret = {SECRET_HEADER: bot.container.cluster.secret}
    assert (await env.call(bot, "GET", "/cluster/assistants", headers=secret))[0] == 200


async def test_additions_at_one_process_reach_the_others(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=2, bots=2)
    first, second = env.accounts
    env.say("店长", "/管理员 加 wxid_heixuanfeng", first)
    both = [bot.container.accounts for bot in env.bots]
    await until(lambda: all("wxid_heixuanfeng" in member.all_admins() for member in both), "both know the admin")
    env.say("黑旋风", "/问答 加 几点开门=九点", first)
    await until(
        lambda: all(bot.container.faq_entries.index.exact("几点开门") for bot in env.bots), "both know the answer"
    )
    env.say("宋公明", "几点开门", second)
    await env.receives("宋公明", "九点", second)
