"""Timed messages and broadcasts."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session, select

from models.durable import OutboxItem, Priority, WorkState
from models.rules import Broadcast, TimedMessage
from services.messaging.sent_list import send_again
from services.outreach.timed_messages import trigger, weekdays
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.group_life import asks, group_with, qun_of, texts
from tests.waiting import until

SHANGHAI = ZoneInfo("Asia/Shanghai")


# ---- timed messages ----


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("1", "mon"),
        ("0", "sun"),
        ("7", "sun"),
        ("1-5", "mon,tue,wed,thu,fri"),
        ("6,0", "sat,sun"),
        ("*/2", "sun,tue,thu,sat"),
        ("*", "*"),
        ("MON-FRI", "mon-fri"),
    ],
)
def test_weekdays_follow_crontab(field: str, names: str) -> None:
    assert weekdays(field) == names


def test_weekday_names_are_understood() -> None:
    now = datetime(2026, 3, 4, 12, tzinfo=SHANGHAI)  # a Wednesday
    due = trigger("0 9 * * 1", SHANGHAI).get_next_fire_time(None, now)
    assert due == datetime(2026, 3, 9, 9, tzinfo=SHANGHAI)


def test_day_of_month_or_weekday_as_in_crontab() -> None:
    """If both are given, either matches; with steps (*/2), both must."""
    now = datetime(2026, 3, 4, 12, tzinfo=SHANGHAI)  # a Wednesday
    due = trigger("0 9 13,30 * 5", SHANGHAI)
    days = []
    for _ in range(5):
        at = due.get_next_fire_time(None, now)
        assert at is not None
        days.append(at.day)
        now = at + timedelta(minutes=1)
    assert days == [6, 13, 20, 27, 30]
    now = datetime(2026, 3, 4, 12, tzinfo=SHANGHAI)
    assert trigger("0 9 */2 * 5", SHANGHAI).get_next_fire_time(None, now) == datetime(2026, 3, 13, 9, tzinfo=SHANGHAI)


async def make_due(env: BotEnvironment, minutes: float = 1) -> None:
    """Make every timed message due some minutes ago."""

    def set_times(session: Any) -> None:
        for row in session.exec(select(TimedMessage)).all():
            row.next_at = env.bot.container.clock() - minutes * 60
            session.add(row)

    await env.bot.container.store.write(set_times)


async def test_timed_messages_are_sent_once_per_due_time(env: BotEnvironment) -> None:
    """Added, listed, sent once per due time, missed ones once, also across a restart; deleted ones never."""
    qun = await group_with(env)
    room = qun["room"]
    added = await asks(env, "宋公明", "/定时 加 0 9 * * 1-5 早上好\n各位", room)
    assert added.startswith("已添加定时消息 #1，下次发送：")
    assert added.rstrip("。").endswith(" 09:00")
    assert "#1 0 9 * * 1-5 下次" in await asks(env, "店长", "/定时 100001")
    assert await env.bot.container.timed_messages.run() == 0
    await make_due(env, minutes=3 * 24 * 60)
    assert [await env.bot.container.timed_messages.run() for _ in range(2)] == [1, 0]
    await env.receives("宋公明", "早上好\n各位", room)
    await make_due(env)
    await env.stop_bot()
    await env.start_bot()
    assert [await env.bot.container.timed_messages.run() for _ in range(2)] == [1, 0]
    await until(lambda: len(texts(env, "宋公明", room, "早上好\n各位")) == 2, "said again")
    assert await asks(env, "宋公明", "/定时 删 1", room) == "已删除定时消息 #1。"
    assert await asks(env, "宋公明", "/定时 删 1", room) == "没有编号为 1 的定时消息。"
    await make_due(env)
    assert await env.bot.container.timed_messages.run() == 0


async def test_concurrent_additions_schedule_one_message(env: BotEnvironment) -> None:
    await group_with(env)
    await asks(env, "店长", "/定时 100001 加 * * * * * 喂")
    await make_due(env)
    timed = env.bot.container.timed_messages
    assert sum(await asyncio.gather(*(timed.run() for _ in range(5)))) == 1


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("加 61 9 * * * 早", "时间不对：“61”不能用作“分”\n写法：/定时"),
        ("加 9 25 * 正月 9 早", "时间不对：“25”不能用作“时”，“正月”不能用作“月”，“9”不能用作“周”\n"),
        ("加 0 9 * * 早", "写法：/定时"),
        ("加 0 9 30 2 * 早", "永远不会到"),
        ("加 0 9 * * 5-1 早", "时间不对：“5-1”不能用作“周”\n"),
        ("加", "写法：/定时"),
        ("删 x", "写法：/定时"),
        ("改 1", "写法：/定时"),
    ],
)
async def test_invalid_time_is_rejected(env: BotEnvironment, text: str, answer: str) -> None:
    qun = await group_with(env)
    assert answer in await asks(env, "宋公明", f"/定时 {text}", qun["room"])
    assert await env.bot.container.timed_messages.of(qun_of(env, qun)) == []


async def test_timed_message_of_another_group_cannot_be_deleted(env: BotEnvironment) -> None:
    qun = await group_with(env)
    other = await env.make_group("code-2", "黑旋风")
    await asks(env, "宋公明", "/定时 加 0 9 * * * 早", qun["room"])
    assert "没有编号为 1" in await asks(env, "黑旋风", "/定时 删 1", other["room"])


# ---- broadcasts ----


async def test_broadcast_is_confirmed_and_sent_once(make_env: MakeEnv) -> None:
    """Shown with the number of groups, confirmed after a restart, and sent once to this assistant's groups only."""
    env = await make_env(("weimi1001", "weimi1002"))
    first = await group_with(env)
    second = await env.make_group("code-2")
    body = {"code": "elsewhere", "owner": "宋公明", "assistant": "weimi1002"}
    await env.call("POST", "/wxbot/qun", body)
    elsewhere = env.bot.container.groups.rooms(env.bot.container.groups.by_code("elsewhere"))[0].room_id or ""  # type: ignore[arg-type]
    asked = await asks(env, "店长", "/群发 明天放假")
    assert asked.startswith("将向 2 个群发送：\n明天放假")
    assert "10 分钟" in asked
    assert not texts(env, "宋公明", first["room"], "明天放假")
    await env.restart_bot()
    env.say("宋公明", "确认")
    env.say("店长", "确认")
    await env.receives("店长", "正在向 2 个群发送。")
    await env.receives("店长", "群发“明天放假”已完成：2 个群全部发送成功。")
    for room in (first["room"], second["room"]):
        await env.receives("宋公明", "明天放假", room)
    assert "群发" not in await asks(env, "店长", "确认")
    for room, times in ((first["room"], 1), (second["room"], 1), (elsewhere, 0)):
        assert len(texts(env, "宋公明", room, "明天放假")) == times
    kept = await env.bot.container.store.read(lambda s: s.exec(select(Broadcast)).all())
    assert [file.state for file in kept] == ["sent"]
    items = await env.bot.container.store.read(lambda s: s.exec(select(OutboxItem)).all())
    assert {item.priority for item in items if "明天放假" in item.body and "@chatroom" in item.key} == {
        Priority.BROADCAST
    }


async def test_broadcast_result_is_reported_once(env: BotEnvironment) -> None:
    """With the groups that did not get it, after a crash in the middle, and not again for a message sent again."""
    await group_with(env)
    second = await env.make_group("code-2")
    await asks(env, "店长", "/群发 明天放假")
    gate = env.sandbox.servers[env.accounts[0]]
    await gate.stop()
    container = env.bot.container
    waiting = await container.broadcasts.unconfirmed(env.accounts[0], env.id("店长"))
    assert waiting is not None
    await container.store.write(lambda s: container.broadcasts.send(s, waiting))
    wanted = select(OutboxItem).where(OutboxItem.key == second["room"], OutboxItem.priority == Priority.BROADCAST)

    def cut_off(session: Session) -> int:
        item = session.exec(wanted).one()
        item.state = WorkState.SENDING
        session.add(item)
        return item.id or 0

    message = await container.store.write(cut_off)
    await env.stop_bot()
    await gate.start()
    await env.start_bot()
    told = await env.receives("店长", "已完成")
    assert told.text == ("群发“明天放假”已完成：1 个群发送成功，1 个群没有发送成功：\n100002 宋公明的群100002")
    container = env.bot.container
    await container.store.write(lambda s: send_again(s, container.outbox, container.audit, message, "test"))
    await env.receives("宋公明", "明天放假", second["room"])
    await env.wait_idle()
    assert len(texts(env, "店长", text="已完成")) == 1


async def test_cancelled_or_expired_broadcast_is_not_sent(env: BotEnvironment) -> None:
    qun = await group_with(env)
    await asks(env, "店长", "/群发 一")
    assert await asks(env, "店长", "取消") == "已取消群发。"
    await asks(env, "店长", "/群发 二")
    await asks(env, "店长", "/群发 三")  # replaces the second one

    def late(session: Any) -> None:
        for row in session.exec(select(Broadcast)).all():
            row.expires_at = 1.0
            session.add(row)

    await env.bot.container.store.write(late)
    assert "已过 10 分钟" in await asks(env, "店长", "确认")
    assert "写法：/群发 文本" in await asks(env, "店长", "/群发")
    assert "请私聊" in await asks(env, "宋公明", "/群发 四", qun["room"])
    assert await asks(env, "宋公明", "/群发 五") == "您没有权限执行此命令。"
    assert [len(texts(env, "宋公明", qun["room"], text)) for text in "一二三五"] == [0] * 4


async def test_broadcast_without_groups_is_rejected(env: BotEnvironment) -> None:
    assert await asks(env, "店长", "/群发 有人吗") == "现在没有可以发送的群。"
