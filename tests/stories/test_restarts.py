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
from tests.stories.conftest import MakeTown, Town, until
from tests.stories.group_life import becomes, bring, texts


async def test_people_are_known_before_gateway_connects(town: Town) -> None:
    li = town.newcomer("李逵")
    directory = town.bot.container.accounts.get("weimi1001").directory
    await until(lambda: directory.find("李逵", friends=True), "the newcomer is known")
    await town.stop_bot()
    old, extra = town.bot, town.extra
    town.extra = {**extra, "assistants": [{"account": "weimi1001", "endpoint": "127.0.0.1:1"}]}  # unreachable
    starting = asyncio.create_task(town.start_bot())
    await until(lambda: town.bot is not old and town.bot.port, "the bot is up")
    assert town.bot.container.accounts.get("weimi1001").directory.find("李逵", friends=True)
    body = {"assistant": "weimi1001", "to": "李逵", "text": "等微信回来"}
    assert (await town.call("POST", "/wxbot/message", body))[0] == 202, "it waits for WeChat"
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await town.stop_bot()
    town.extra = extra
    await town.start_bot()
    await town.hears(li, "等微信回来")
    await town.quiet()
    assert len([m for m in town.seen(li) if m.text == "等微信回来"]) == 1


async def test_work_left_by_a_crash_is_done_once_connected(town: Town) -> None:
    """A QR code in a group and a command were stored but not handled. Both need WeChat, which is reachable later."""
    qun = await town.make_group()
    bring(town, qun, "黑旋风", "九纹龙")
    await becomes(town, qun, "九纹龙", "joined")
    picture = io.BytesIO()
    segno.make("https://evil.com/qr", micro=False).save(picture, kind="png", scale=6)
    town.world.chats.send_media(town.id("黑旋风"), qun["room"], Kind.IMAGE, "a.png", picture.getvalue())
    await town.hears("宋公明", "第 1 次警告", qun["room"])
    town.say("宋公明", "/踢 @九纹龙", qun["room"])
    await town.hears("宋公明", "已移出：九纹龙。", qun["room"])
    bring(town, qun, "九纹龙")
    await becomes(town, qun, "九纹龙", "joined")
    await town.quiet()
    undone = update(InboxEvent).where(col(InboxEvent.kind) == "message").values(state=EventState.NEW)
    await town.bot.container.store.write(lambda s: s.connection().execute(undone))
    await town.restart_bot()
    await town.hears("宋公明", "第 2 次警告", qun["room"])
    await until(lambda: len(texts(town, "宋公明", qun["room"], "已移出：九纹龙。")) == 2, "taken out again")


async def test_own_messages_are_no_events(town: Town) -> None:
    body = {"assistant": "weimi1001", "to": "宋公明", "text": "您好"}
    assert (await town.call("POST", "/wxbot/message", body))[0] == 202
    await town.hears("宋公明", "您好")
    town.say("宋公明", "在吗")
    await town.quiet()
    assert not [m for m in town.seen("宋公明") if m.text == "您好"][1:]


async def test_logout_during_database_outage_is_reported(make_town: MakeTown) -> None:
    async with receiving() as receiver:
        town = await make_town(webhooks=[{**receiver.config, "events": ["assistant.online", "assistant.offline"]}])
        await until(lambda: receiver.types() == ["assistant.online"], "told")
        away = [1]
        engine = town.bot.container.store.engine
        event.listen(engine, "begin", lambda c: c.exec_driver_sql(f"PRAGMA query_only={away[0]}"))
        for change in (town.world.accounts.logout, town.world.accounts.login):
            change("weimi1001")
            is_online = change == town.world.accounts.login
            await until(lambda is_online=is_online: town.bot.container.accounts.is_online("weimi1001") is is_online)
        away[0] = 0
        await until(lambda: len(receiver.types()) == 3, "told")
        assert receiver.types() == ["assistant.online", "assistant.offline", "assistant.online"]
