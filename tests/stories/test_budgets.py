"""Limits per person: no one can monopolise the assistant."""

from __future__ import annotations

from typing import Any

from sandbox.world.model import ChatMessage
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.service import MARKER, ask_person, known, replies_to, service, staff_room, words
from tests.waiting import until

KEYWORDS = [{"contains": "价格", "reply": "请看价目表。"}, {"equals": "营业时间", "reply": "9:00-18:00"}]


def texts(said: list[ChatMessage], text: str) -> int:
    return sum(text in message.text for message in said)


async def bought(make_env: MakeEnv, **limits: Any) -> BotEnvironment:
    rules = service(keywords=[*KEYWORDS, MARKER])
    return await make_env(customer_service=rules, limits={"repeats": 3, **limits})


async def staffed(make_env: MakeEnv, **limits: Any) -> tuple[BotEnvironment, str]:
    env = await make_env(customer_service=service(), limits=limits)
    room = staff_room(env)
    await known(env, room)
    return env, room


async def test_repeated_question_is_answered_a_few_times_per_minute(make_env: MakeEnv) -> None:
    env = await bought(make_env)
    for _ in range(50):
        env.say("黑旋风", "营业时间")
    await env.wait_idle()
    assert words(env.seen("黑旋风")) == ["9:00-18:00"] * 3
    env.ahead += 61
    env.say("黑旋风", "营业时间")
    await until(lambda: len(env.seen("黑旋风")) == 4, "answered again")


async def test_replies_per_hour_are_limited(make_env: MakeEnv) -> None:
    env = await bought(make_env, replies=5)
    for number in range(20):
        env.say("黑旋风", f"价格 {number}")
    await env.wait_idle()
    assert words(env.seen("黑旋风")) == ["请看价目表。"] * 5 + ["您的消息太频繁了，请过一会儿再试。"]
    await replies_to(env, "宋公明", "营业时间")  # the others have theirs
    env.ahead += 3601
    env.say("黑旋风", "价格")
    await until(lambda: len(env.seen("黑旋风")) == 7, "answered again")


async def test_messages_to_staff_are_limited(make_env: MakeEnv) -> None:
    env, room = await staffed(make_env, relays=5)
    await ask_person(env, room)
    for number in range(12):
        env.say("黑旋风", f"第 {number} 句")
    await env.receives("宋公明", "#1 黑旋风 发来的消息太多", room)
    await env.wait_idle()
    seen = env.seen("宋公明", room)
    assert texts(seen, "】第 ") == 5
    assert texts(seen, "发来的消息太多") == 1
    container = env.bot.container
    rows = await container.store.read(lambda s: container.conversations.last(s, env.accounts[0], env.id("黑旋风"), 50))
    assert sum(row.text.endswith("句") for row in rows) == 12, "all are kept"
    env.say("宋公明", "#1 请慢慢说", room)
    await env.receives("黑旋风", "请慢慢说")


async def test_tickets_per_person_are_limited(make_env: MakeEnv) -> None:
    env, room = await staffed(make_env, tickets=2)
    for number in (1, 2):
        env.say("黑旋风", "人工")
        await env.receives("宋公明", f"【#{number} 黑旋风】请求人工服务", room)
        env.say("宋公明", f"#{number} 结束", room)
        await env.receives("宋公明", f"#{number} 黑旋风 已结束", room)
    for _ in range(3):
        env.say("黑旋风", "人工")
    await env.wait_idle()
    assert texts(env.seen("黑旋风"), "您请求人工服务太频繁了") == 1
    assert texts(env.seen("宋公明", room), "请求人工服务") == 2
