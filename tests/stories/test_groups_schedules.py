"""Timed messages, broadcasts, and drift of groups."""

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
from tests.stories.conftest import BotEnvironment, MakeEnv, until
from tests.stories.group_life import add_members, audit, qun_of, texts, transfer_group
from tests.stories.test_groups_commands import asks, group

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
    qun = await group(env)
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
    await group(env)
    await asks(env, "店长", "/定时 100001 加 * * * * * 喂")
    await make_due(env)
    timed = env.bot.container.timed_messages
    assert sum(await asyncio.gather(*(timed.run() for _ in range(5)))) == 1


@pytest.mark.parametrize(
    ("words", "answer"),
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
async def test_invalid_time_is_rejected(env: BotEnvironment, words: str, answer: str) -> None:
    qun = await group(env)
    assert answer in await asks(env, "宋公明", f"/定时 {words}", qun["room"])
    assert await env.bot.container.timed_messages.of(qun_of(env, qun)) == []


async def test_timed_message_of_another_group_cannot_be_deleted(env: BotEnvironment) -> None:
    qun = await group(env)
    other = await env.make_group("code-2", "黑旋风")
    await asks(env, "宋公明", "/定时 加 0 9 * * * 早", qun["room"])
    assert "没有编号为 1" in await asks(env, "黑旋风", "/定时 删 1", other["room"])


# ---- broadcasts ----


async def test_broadcast_is_confirmed_and_sent_once(make_env: MakeEnv) -> None:
    """Shown with the number of groups, confirmed after a restart, and sent once to this assistant's groups only."""
    env = await make_env(("weimi1001", "weimi1002"))
    first = await group(env)
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
    assert [one.state for one in kept] == ["sent"]
    items = await env.bot.container.store.read(lambda s: s.exec(select(OutboxItem)).all())
    assert {item.priority for item in items if "明天放假" in item.body and "@chatroom" in item.key} == {
        Priority.BROADCAST
    }


async def test_broadcast_result_is_reported_once(env: BotEnvironment) -> None:
    """With the groups that did not get it, after a crash in the middle, and not again for a message sent again."""
    await group(env)
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
    assert len(texts(env, "店长", words="已完成")) == 1


async def test_cancelled_or_expired_broadcast_is_not_sent(env: BotEnvironment) -> None:
    qun = await group(env)
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
    assert [len(texts(env, "宋公明", qun["room"], words)) for words in "一二三五"] == [0] * 4


async def test_broadcast_without_groups_is_rejected(env: BotEnvironment) -> None:
    assert await asks(env, "店长", "/群发 有人吗") == "现在没有可以发送的群。"


# ---- drift ----


async def test_drift_is_repaired(env: BotEnvironment) -> None:
    """A changed topic and announcement are restored and logged; correct ones are not touched."""
    qun = await group(env)
    await asks(env, "店长", "/公告 100001 聚义")
    check = env.bot.container.group_policy.check
    assert await check() == "1 rooms, 0 drifted, 0 repaired"
    env.world.rooms.set_topic(env.id("智多星"), qun["room"], "乱改的名字")
    env.room(qun["room"]).announcement = "乱改的公告"
    assert await check() == "1 rooms, 2 drifted, 2 repaired"
    assert (env.room(qun["room"]).topic, env.room(qun["room"]).announcement) == (qun["topic"], "聚义")
    assert await check() == "1 rooms, 0 drifted, 0 repaired"
    assert [(line.who, line.outcome) for line in await audit(env, "topic")] == [("job:drift_check", "done")]


async def test_rename_by_owner_or_admin_is_kept(env: BotEnvironment) -> None:
    """Or by an admin; that of another member is set back, and the owner is told once how to rename the group."""
    qun = await group(env, "黑旋风", "店长")
    check = env.bot.container.group_policy.check
    for who, name in (("宋公明", "梁山好汉"), ("店长", "梁山好汉 一群")):
        env.world.rooms.set_topic(env.id(who), qun["room"], name)
        await until(lambda name=name: qun_of(env, qun).topic == name, "kept")
        assert await check() == "1 rooms, 0 drifted, 0 repaired"
    for name in ("乱改的名字", "又改了"):
        env.world.rooms.set_topic(env.id("黑旋风"), qun["room"], name)
        await env.wait_idle()
        assert await check() == "1 rooms, 1 drifted, 1 repaired"
    assert env.room(qun["room"]).topic == "梁山好汉 一群"
    await env.wait_idle()
    [told] = texts(env, "宋公明", words="被改成了")
    assert told == (
        "群 100001 的群名被改成了“乱改的名字”，助手已改回“梁山好汉 一群”。要改群名，请在群里发送“/群名 新群名”。"
    )
    env.world.rooms.set_topic(env.id("宋公明"), qun["room"], "客服值班群")  # reserved
    await env.wait_idle()
    assert await check() == "1 rooms, 1 drifted, 1 repaired"
    assert [(line.who, line.detail["after"]) for line in await audit(env, "topic") if "after" in line.detail] == [
        ("person:wxid_songgongming", "梁山好汉"),
        ("person:wxid_admin", "梁山好汉 一群"),
    ]


async def test_locked_topic_is_restored_and_owner_notified(make_env: MakeEnv) -> None:
    env = await make_env(groups={"topic_lock": True})
    qun = await group(env)
    env.world.rooms.set_topic(env.id("宋公明"), qun["room"], "梁山好汉")
    await env.wait_idle()
    assert await env.bot.container.group_policy.check() == "1 rooms, 1 drifted, 1 repaired"
    await env.receives("宋公明", "助手已改回“宋公明的群100001”")
    assert env.room(qun["room"]).topic == qun_of(env, qun).topic == qun["topic"]


async def test_rename_applies_to_all_rooms(make_env: MakeEnv) -> None:
    env = await make_env(groups={"capacity": 4, "overflow": True})
    qun = await group(env, "黑旋风")
    await env.join(qun["token"], "店长")
    await until(lambda: len(env.bot.container.groups.rooms(qun_of(env, qun))) == 2, "a second room")
    await env.wait_idle()
    second = env.bot.container.groups.rooms(qun_of(env, qun))[1].room_id or ""
    env.world.rooms.set_topic(env.id("宋公明"), qun["room"], "好汉")
    await until(lambda: qun_of(env, qun).topic == "好汉", "kept")
    assert await env.bot.container.group_policy.check() == "2 rooms, 1 drifted, 1 repaired"
    assert env.room(second).topic == "好汉·2"
    env.world.rooms.set_topic(env.id("宋公明"), second, "好汉分群")
    await env.wait_idle()
    assert await env.bot.container.group_policy.check() == "2 rooms, 0 drifted, 0 repaired"
    assert (qun_of(env, qun).topic, env.room(second).topic) == ("好汉", "好汉分群")


async def test_change_during_the_check_is_no_drift(env: BotEnvironment) -> None:
    """A command may run during the check, and WeChat may show a change before its response arrives."""
    await group(env)
    qun = await env.make_group("code-2")
    for number in (100001, 100002):
        await asks(env, "店长", f"/公告 {number} 旧公告")
    env.world.faults.call("RoomAnnounce", "slow", ms=2000, count=1)
    checking = asyncio.create_task(env.bot.container.group_policy.check())
    await until(lambda: not env.world.faults.calls, "the check has begun")
    await asks(env, "店长", "/公告 100002 新公告")
    await asks(env, "店长", "/群名 100002 新群名")
    assert not checking.done()
    assert await checking == "2 rooms, 0 drifted, 0 repaired"
    room = env.room(qun["room"])
    assert (room.announcement, room.topic) == ("新公告", "新群名")
    env.world.faults.call("RoomAnnounce", "lose_silently", count=1)
    env.say("店长", "/公告 100002 更新的公告")
    await until(lambda: room.announcement == "更新的公告", "published")
    assert await env.bot.container.group_policy.check() == "2 rooms, 0 drifted, 0 repaired"
    assert room.announcement == "更新的公告"


async def test_repeated_drift_is_reported(env: BotEnvironment) -> None:
    """Restored three times a day; after that the owner is told once."""
    qun = await group(env)
    await transfer_group(env, qun)
    env.world.faults.call("RoomTopic", "fail")
    env.world.rooms.set_topic(env.id("智多星"), qun["room"], "乱改的名字")
    for _ in range(5):
        await env.bot.container.group_policy.check()
    await env.receives("宋公明", "“宋公明的群100001”（100001）的群名被改动")
    await env.wait_idle()
    assert len(texts(env, "宋公明", words="被改动")) == 1
    assert [line.outcome for line in await audit(env, "topic")] == ["failed"] * 3
    assert len(await audit(env, "drift_topic")) == 1


async def test_unreadable_room_is_not_lost(env: BotEnvironment) -> None:
    """An error of the gateway does not mean that the assistant was removed."""
    qun = await group(env)
    for method in ("RoomPayload", "RoomMemberList"):
        env.world.faults.call(method, "fail")
    await env.bot.container.group_policy.check()
    assert qun_of(env, qun).state == "active"
    env.world.faults.clear()
    await env.wait_idle()
    assert not texts(env, "宋公明", words="助手已不在")


async def test_removal_without_event_is_detected(env: BotEnvironment) -> None:
    """Without an event, the check finds out that the assistant was removed, reports it once, and finds the group
    again.
    """
    qun = await group(env)
    await transfer_group(env, qun)
    env.world.faults.event("*", lost=1.0)
    env.world.rooms.remove(env.id("宋公明"), qun["room"], env.id("bot"))
    env.world.faults.clear()
    for _ in range(2):
        await env.bot.container.group_policy.check()
    await env.receives("宋公明", "助手已不在“宋公明的群100001”")
    assert qun_of(env, qun).state == "lost"
    assert "助手不在群里" in await asks(env, "店长", "/群名 100001 别的")
    add_members(env, qun, "bot", by="宋公明")
    await env.receives("宋公明", "助手已回到")
    assert qun_of(env, qun).state == "active"
    assert len(texts(env, "宋公明", words="助手已不在")) == 1
