"""Restarts as seen by people and callers."""

from __future__ import annotations

import asyncio
import io

import segno
from sqlalchemy import event, update
from sqlmodel import col

from models.durable import EventState, InboxEvent
from sandbox.world.model import Kind
from tests.stories.business import receiving
from tests.stories.conftest import BotEnvironment, MakeEnv, until
from tests.stories.group_life import add_members, texts, wait_for_state


async def test_people_are_known_before_gateway_connects(env: BotEnvironment) -> None:
    li = env.add_person("李逵")
    directory = env.bot.container.accounts.get("weimi1001").directory
    await until(lambda: directory.find("李逵", friends=True), "the newcomer is known")
    await env.stop_bot()
    old, extra = env.bot, env.extra
    env.extra = {**extra, "assistants": [{"account": "weimi1001", "endpoint": "127.0.0.1:1"}]}  # unreachable
    starting = asyncio.create_task(env.start_bot())
    await until(lambda: env.bot is not old and env.bot.port, "the bot is up")
    assert env.bot.container.accounts.get("weimi1001").directory.find("李逵", friends=True)
    body = {"assistant": "weimi1001", "to": "李逵", "text": "等微信回来"}
    assert (await env.call("POST", "/wxbot/message", body))[0] == 202, "it waits for WeChat"
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await env.stop_bot()
    env.extra = extra
    await env.start_bot()
    await env.receives(li, "等微信回来")
    await env.wait_idle()
    assert len([m for m in env.seen(li) if m.text == "等微信回来"]) == 1


async def test_work_left_by_a_crash_is_done_once_connected(env: BotEnvironment) -> None:
    """A QR code in a group and a command were stored but not handled. Both need WeChat, which is reachable later."""
    qun = await env.make_group()
    add_members(env, qun, "黑旋风", "九纹龙")
    await wait_for_state(env, qun, "九纹龙", "joined")
    picture = io.BytesIO()
    segno.make("https://evil.com/qr", micro=False).save(picture, kind="png", scale=6)
    env.world.chats.send_media(env.id("黑旋风"), qun["room"], Kind.IMAGE, "a.png", picture.getvalue())
    await env.receives("宋公明", "第 1 次警告", qun["room"])
    env.say("宋公明", "/踢 @九纹龙", qun["room"])
    await env.receives("宋公明", "已移出：九纹龙。", qun["room"])
    add_members(env, qun, "九纹龙")
    await wait_for_state(env, qun, "九纹龙", "joined")
    await env.wait_idle()
    undone = update(InboxEvent).where(col(InboxEvent.kind) == "message").values(state=EventState.NEW)
    await env.bot.container.store.write(lambda s: s.connection().execute(undone))
    await env.restart_bot()
    await env.receives("宋公明", "第 2 次警告", qun["room"])
    await until(lambda: len(texts(env, "宋公明", qun["room"], "已移出：九纹龙。")) == 2, "taken out again")


async def test_own_messages_are_no_events(env: BotEnvironment) -> None:
    body = {"assistant": "weimi1001", "to": "宋公明", "text": "您好"}
    assert (await env.call("POST", "/wxbot/message", body))[0] == 202
    await env.receives("宋公明", "您好")
    env.say("宋公明", "在吗")
    await env.wait_idle()
    assert not [m for m in env.seen("宋公明") if m.text == "您好"][1:]


async def test_logout_during_database_outage_is_reported(make_env: MakeEnv) -> None:
    async with receiving() as receiver:
        env = await make_env(webhooks=[{**receiver.config, "events": ["assistant.online", "assistant.offline"]}])
        await until(lambda: receiver.types() == ["assistant.online"], "told")
        away = [1]
        engine = env.bot.container.store.engine
        event.listen(engine, "begin", lambda c: c.exec_driver_sql(f"PRAGMA query_only={away[0]}"))
        for change in (env.world.accounts.logout, env.world.accounts.login):
            change("weimi1001")
            is_online = change == env.world.accounts.login
            await until(lambda is_online=is_online: env.bot.container.accounts.is_online("weimi1001") is is_online)
        away[0] = 0
        await until(lambda: len(receiver.types()) == 3, "told")
        assert receiver.types() == ["assistant.online", "assistant.offline", "assistant.online"]
