"""Tickets over time: idle ones, office hours, restarts, other days."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sandbox.world.model import Kind
from tests.stories.conftest import MakeEnv
from tests.stories.service import (
    CLOSED,
    HANDOFF,
    ask_person,
    known,
    replies_to,
    service,
    staff_room,
    with_staff_room,
    words,
)
from tests.waiting import until


async def test_tickets_survive_restart(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env)
    await ask_person(env, room)
    await env.wait_idle()
    await env.restart_bot()
    await known(env, room)
    env.say("黑旋风", "还在吗")
    await env.receives("宋公明", "【#1 黑旋风】还在吗", room)
    env.say("宋公明", "#1 在的", room)
    await env.receives("黑旋风", "在的")
    env.say("宋公明", "#1 结束", room)
    await env.receives("黑旋风", CLOSED)
    await env.wait_idle()
    await env.restart_bot()
    assert await replies_to(env, "黑旋风", "六分") != ["感谢您的评价！"]
    assert await replies_to(env, "黑旋风", "回复四分！") == ["感谢您的评价！"]


async def test_idle_ticket_is_closed_once(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env, handoff={"idle_minutes": 0.01})
    await ask_person(env, room)
    for _ in range(3):  # without an answer it stays open
        await asyncio.sleep(0.3)
        assert await env.bot.container.idle_tickets.close() == 0
    env.say("宋公明", "#1 您好", room)
    await env.receives("黑旋风", "您好")
    assert await until(env.bot.container.idle_tickets.close, "it is closed") == 1
    await env.receives("黑旋风", CLOSED)
    await env.receives("宋公明", "#1 黑旋风 0.01 分钟没有消息，已结束", room)
    assert await env.bot.container.idle_tickets.close() == 0
    await ask_person(env, room, "黑旋风", 2)  # and they may ask again


async def test_ticket_outside_office_hours_waits(make_env: MakeEnv) -> None:
    """The customer is told the opening time; automatic replies continue; then the whole conversation is shown."""
    zone = ZoneInfo("Asia/Shanghai")
    later = datetime.now(zone) + timedelta(hours=2)
    hours = {"from": f"{later:%H}:00", "to": f"{later + timedelta(hours=1):%H}:00", "timezone": "Asia/Shanghai"}
    env, room = await with_staff_room(make_env, handoff={"hours": {"days": "mon-sun", **hours}})
    env.say("黑旋风", "人工")
    told = await env.receives("黑旋风", "人工客服现在不在线，将在")
    assert f"{later:%H}:00 回复您" in told.text
    assert await replies_to(env, "黑旋风", "随便说点什么") == []  # no fallback
    env.world.chats.send_media(env.id("黑旋风"), env.id("bot"), Kind.IMAGE, "sofa.png", b"\x89PNG sofa")
    await replies_to(env, "黑旋风")
    assert await env.bot.container.waiting_tickets.announce() == 0
    assert words(env.seen("宋公明", room)) == []

    await env.stop_bot()
    env.extra = {"customer_service": service()}  # the office opens
    await env.start_bot()
    await known(env, room)
    assert await env.bot.container.waiting_tickets.announce() == 1
    shown = await env.receives("宋公明", "【#1 黑旋风】请求人工服务", room)
    assert "黑旋风：随便说点什么" in shown.text
    await until(lambda: any(m.media for m in env.seen("宋公明", room)), "the picture is shown too")
    await env.receives("黑旋风", HANDOFF)
    assert await env.bot.container.waiting_tickets.announce() == 0
    assert sum("请求人工服务" in w for w in words(env.seen("宋公明", room))) == 1


async def test_history_is_shown_before_an_early_answer(make_env: MakeEnv) -> None:
    """The list has waiting tickets; before an answer, staff are shown the earlier messages."""
    later = datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(hours=2)
    hours = {"days": "mon-sun", "from": f"{later:%H}:00", "to": f"{later + timedelta(hours=1):%H}:00"}
    env, room = await with_staff_room(make_env, handoff={"hours": hours})
    env.say("黑旋风", "人工")
    await env.receives("黑旋风", "人工客服现在不在线")
    env.say("黑旋风", "我的货坏了")
    await replies_to(env, "黑旋风")
    env.say("宋公明", "#", room)
    await env.receives("宋公明", "#1 黑旋风，0 分钟前，待接待", room)
    env.say("宋公明", "#1 您好，我先看看", room)
    await env.receives("黑旋风", "您好，我先看看")
    shown = await env.receives("店长", "【#1 黑旋风】请求人工服务", room)
    assert "黑旋风：我的货坏了" in shown.text
    env.say("宋公明", "#1 请稍等", room)
    await env.receives("黑旋风", "请稍等")
    await env.wait_idle()
    assert sum("请求人工服务" in w for w in words(env.seen("店长", room))) == 1
    assert words(env.seen("黑旋风"))[-3:] == [HANDOFF, "您好，我先看看", "请稍等"]


async def test_messages_of_another_day_show_the_date(make_env: MakeEnv) -> None:
    """A ticket that waited over the weekend."""
    env = await make_env(customer_service=service())
    said = env.say("黑旋风", "人工").at
    await env.receives("黑旋风", "暂时联系不上人工客服")
    room = staff_room(env)
    await env.wait_idle()
    await env.stop_bot()
    env.ahead = 2 * 86400
    await env.start_bot()
    await known(env, room)
    await env.bot.container.waiting_tickets.announce()
    shown = await env.receives("宋公明", "【#1 黑旋风】请求人工服务", room)
    day = datetime.fromtimestamp(said, ZoneInfo("Asia/Shanghai"))
    assert f"{day:%m-%d %H:%M} 黑旋风：人工" in shown.text


async def test_old_messages_are_relayed_and_not_answered(make_env: MakeEnv) -> None:
    """Messages sent more than ten minutes before the account came online are stored, not answered, and relayed to
    staff."""
    env, room = await with_staff_room(make_env, handoff={"idle_minutes": 1000})
    await ask_person(env, room)
    await env.wait_idle()
    await env.restart_bot()
    await known(env, room)
    for who, what in (("智多星", "好了吗"), ("智多星", "人工"), ("黑旋风", "好了吗")):
        env.say(who, what).at -= 3600
    await env.receives("宋公明", "【#1 黑旋风】好了吗", room)
    env.say("宋公明", "#1 在的", room)
    await env.receives("黑旋风", "在的")
    container = env.bot.container

    async def both_kept() -> bool:
        rows = await container.store.read(
            lambda s: container.conversations.last(s, env.accounts[0], env.id("智多星"), 9)
        )
        return [row.text for row in rows] == ["好了吗", "人工"]

    assert await until(both_kept, "both are kept")
    await env.wait_idle()
    assert words(env.seen("智多星")) == []
    assert container.tickets.of(env.accounts[0], env.id("智多星")) is None
