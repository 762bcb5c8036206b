"""Rate limits as seen by callers: 429 with Retry-After, and delayed messages."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.waiting import until

PACE = {"enabled": True, "messages_per_minute": 1000, "conversation_seconds": 0, "add_seconds": 0, "group_seconds": 0}


async def _refused(answer: tuple[int, Any, dict[str, str]]) -> float:
    """Check for a 429 response; return its Retry-After."""
    status, body, headers = answer
    assert status == 429, body
    assert body == {"error": {"code": 1007, "message": "请求过于频繁，请稍后再试！"}}
    return float(headers["Retry-After"])


async def test_second_group_within_the_interval_returns_429(make_env: MakeEnv) -> None:
    env = await make_env(pacing={**PACE, "group_seconds": 60, "request_seconds": 0.5})
    await env.make_group("one")
    body = {"code": "two", "owner": "宋公明", "assistant": "weimi1001"}
    wait = await _refused(await env.call("POST", "/wxbot/qun", body))
    assert 1 <= wait <= 60
    assert len(env.world.rooms.of(env.id("bot"))) == 1, "a refused call reached WeChat"
    assert await _refused(await env.call("POST", "/wxbot/qun", body)) <= wait, "a refusal costs no turn"
    env.ahead += wait
    status, answer, _ = await env.call("POST", "/wxbot/qun", body)
    assert status == 201, answer
    assert len(env.world.rooms.of(env.id("bot"))) == 2


async def test_short_wait_is_absorbed(make_env: MakeEnv) -> None:
    env = await make_env(pacing={**PACE, "group_seconds": 1, "request_seconds": 5})
    began = time.monotonic()
    await env.make_group("one")
    await env.make_group("two")
    assert time.monotonic() - began >= 0.9


async def test_group_pace_survives_restart(make_env: MakeEnv) -> None:
    env = await make_env(pacing={**PACE, "group_seconds": 60, "request_seconds": 0.5})
    await env.make_group("one")
    await env.restart_bot()
    body = {"code": "two", "owner": "宋公明", "assistant": "weimi1001"}
    assert 50 < await _refused(await env.call("POST", "/wxbot/qun", body)) <= 60


async def test_second_member_within_the_interval_returns_429(make_env: MakeEnv) -> None:
    env = await make_env(pacing={**PACE, "add_seconds": 60, "request_seconds": 0.5})
    qun = await env.make_group()
    for name in ("李逵", "燕青"):
        env.add_person(name)
    await until(lambda: env.bot.container.accounts.get("weimi1001").directory.find("燕青", friends=True), "known")
    status, answer, _ = await env.join(qun["token"], "李逵")
    assert status == 200, answer
    wait = await _refused(await env.join(qun["token"], "燕青"))
    assert 1 <= wait <= 60
    env.ahead += wait
    status, answer, _ = await env.join(qun["token"], "燕青")
    assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}})


async def test_messages_to_one_person_are_spaced(make_env: MakeEnv) -> None:
    env = await make_env(pacing={**PACE, "conversation_seconds": 0.5, "spread": 0.2})
    began = time.monotonic()
    for i in range(4):
        body = {"assistant": "weimi1001", "to": "宋公明", "text": f"第{i}句"}
        assert (await env.call("POST", "/wxbot/message", body))[0] == 202
    await env.receives("宋公明", "第3句")
    assert time.monotonic() - began >= 1.4
    said = [m.text for m in env.seen("宋公明") if m.text.startswith("第")]
    assert said == [f"第{i}句" for i in range(4)]
    body = {"assistant": "weimi1001", "to": "宋公明", "text": "又一句"}
    await env.call("POST", "/wxbot/message", body)
    assert "wxbot_outbox_waiting" in await _metrics(env)


async def _metrics(env: BotEnvironment) -> dict[str, float]:
    async with env.http.get(f"{env.url}/metrics") as response:
        lines = [line for line in (await response.text()).splitlines() if line.startswith("wxbot_outbox")]
    return {line.partition("{")[0]: float(line.rpartition(" ")[2]) for line in lines}


async def test_waiting_time_is_exported(make_env: MakeEnv) -> None:
    env = await make_env(pacing={**PACE, "messages_per_minute": 1})
    for i in range(3):
        body = {"assistant": "weimi1001", "to": "宋公明", "text": f"第{i}句"}
        assert (await env.call("POST", "/wxbot/message", body))[0] == 202
    await env.receives("宋公明", "第0句")
    await asyncio.sleep(1.1)
    metrics = await _metrics(env)
    assert metrics["wxbot_outbox_waiting"] == 2
    assert metrics["wxbot_outbox_oldest_seconds"] >= 1
    await env.restart_bot()
    await asyncio.sleep(0.3)
    assert [m.text for m in env.seen("宋公明") if m.text.startswith("第")] == ["第0句"], (
        "the minute that began before the restart still counts"
    )
