"""Changes of a group that were made in WeChat are noticed and repaired."""

from __future__ import annotations

import asyncio

import pytest

from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.group_life import HeldCall, add_members, asks, audit, group_with, qun_of, texts, transfer_group
from tests.waiting import until


async def test_drift_is_repaired(env: BotEnvironment) -> None:
    """A changed topic and announcement are restored and logged; correct ones are not touched."""
    qun = await group_with(env)
    await asks(env, "店长", "/公告 100001 聚义")
    check = env.bot.container.drift_check.check
    assert await check() == "1 rooms, 0 drifted, 0 repaired"
    env.world.rooms.set_topic(env.id("智多星"), qun["room"], "乱改的名字")
    env.room(qun["room"]).announcement = "乱改的公告"
    assert await check() == "1 rooms, 2 drifted, 2 repaired"
    assert (env.room(qun["room"]).topic, env.room(qun["room"]).announcement) == (qun["topic"], "聚义")
    assert await check() == "1 rooms, 0 drifted, 0 repaired"
    assert [(line.who, line.outcome) for line in await audit(env, "topic")] == [("job:drift_check", "done")]


async def test_rename_by_owner_or_admin_is_kept(env: BotEnvironment) -> None:
    """Or by an admin; another member's change is reverted, and the owner is told once how to rename the group."""
    qun = await group_with(env, "黑旋风", "店长")
    check = env.bot.container.drift_check.check
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
    [told] = texts(env, "宋公明", text="被改成了")
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
    qun = await group_with(env)
    env.world.rooms.set_topic(env.id("宋公明"), qun["room"], "梁山好汉")
    await env.wait_idle()
    assert await env.bot.container.drift_check.check() == "1 rooms, 1 drifted, 1 repaired"
    await env.receives("宋公明", "助手已改回“宋公明的群100001”")
    assert env.room(qun["room"]).topic == qun_of(env, qun).topic == qun["topic"]


async def test_rename_applies_to_all_rooms(make_env: MakeEnv) -> None:
    env = await make_env(groups={"capacity": 4, "overflow": True})
    qun = await group_with(env, "黑旋风")
    await env.join(qun["token"], "店长")
    await until(lambda: len(env.bot.container.groups.rooms(qun_of(env, qun))) == 2, "a second room")
    await env.wait_idle()
    second = env.bot.container.groups.rooms(qun_of(env, qun))[1].room_id or ""
    env.world.rooms.set_topic(env.id("宋公明"), qun["room"], "好汉")
    await until(lambda: qun_of(env, qun).topic == "好汉", "kept")
    assert await env.bot.container.drift_check.check() == "2 rooms, 1 drifted, 1 repaired"
    assert env.room(second).topic == "好汉·2"
    env.world.rooms.set_topic(env.id("宋公明"), second, "好汉分群")
    await env.wait_idle()
    assert await env.bot.container.drift_check.check() == "2 rooms, 0 drifted, 0 repaired"
    assert (qun_of(env, qun).topic, env.room(second).topic) == ("好汉", "好汉分群")


async def test_change_during_the_check_is_no_drift(env: BotEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command may run during the check, and WeChat may show a change before its response arrives."""
    await group_with(env)
    qun = await env.make_group("code-2")
    for number in (100001, 100002):
        await asks(env, "店长", f"/公告 {number} 旧公告")
    reading = HeldCall(monkeypatch, env, "announcement")
    checking = asyncio.create_task(env.bot.container.drift_check.check())
    await reading.begun.wait()
    await asks(env, "店长", "/公告 100002 新公告")
    await asks(env, "店长", "/群名 100002 新群名")
    assert not checking.done()
    reading.goes_on.set()
    assert await checking == "2 rooms, 0 drifted, 0 repaired"
    room = env.room(qun["room"])
    assert (room.announcement, room.topic) == ("新公告", "新群名")
    env.world.faults.call("RoomAnnounce", "lose_silently", count=1)
    env.say("店长", "/公告 100002 更新的公告")
    await until(lambda: room.announcement == "更新的公告", "published")
    assert await env.bot.container.drift_check.check() == "2 rooms, 0 drifted, 0 repaired"
    assert room.announcement == "更新的公告"


async def test_repeated_drift_is_reported(env: BotEnvironment) -> None:
    """Restored three times a day; after that the owner is told once."""
    qun = await group_with(env)
    await transfer_group(env, qun)
    env.world.faults.call("RoomTopic", "fail")
    env.world.rooms.set_topic(env.id("智多星"), qun["room"], "乱改的名字")
    for _ in range(5):
        await env.bot.container.drift_check.check()
    await env.receives("宋公明", "“宋公明的群100001”（100001）的群名被改动")
    await env.wait_idle()
    assert len(texts(env, "宋公明", text="被改动")) == 1
    assert [line.outcome for line in await audit(env, "topic")] == ["failed"] * 3
    assert len(await audit(env, "drift_topic")) == 1


async def test_unreadable_room_is_not_lost(env: BotEnvironment) -> None:
    """An error of the gateway does not mean that the assistant was removed."""
    qun = await group_with(env)
    for method in ("RoomPayload", "RoomMemberList"):
        env.world.faults.call(method, "fail")
    await env.bot.container.drift_check.check()
    assert qun_of(env, qun).state == "active"
    env.world.faults.clear()
    await env.wait_idle()
    assert not texts(env, "宋公明", text="助手已不在")


async def test_removal_without_event_is_detected(env: BotEnvironment) -> None:
    """Without an event, the check finds out that the assistant was removed, reports it once, and finds the group
    again.
    """
    qun = await group_with(env)
    await transfer_group(env, qun)
    env.world.faults.event("*", lost=1.0)
    env.world.rooms.remove(env.id("宋公明"), qun["room"], env.id("bot"))
    env.world.faults.clear()
    for _ in range(2):
        await env.bot.container.drift_check.check()
    await env.receives("宋公明", "助手已不在“宋公明的群100001”")
    assert qun_of(env, qun).state == "lost"
    assert "助手不在群里" in await asks(env, "店长", "/群名 100001 别的")
    add_members(env, qun, "bot", by="宋公明")
    await env.receives("宋公明", "助手已回到")
    assert qun_of(env, qun).state == "active"
    assert len(texts(env, "宋公明", text="助手已不在")) == 1
