"""After a login that gives everybody new ids, groups are recognised, and continue once an admin confirms."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from sqlmodel import select

from models.groups import DailyCount, MemberState
from services.groups.membership_rows import membership_of
from tests.stories.conftest import BotEnvironment
from tests.stories.group_life import asks, group_with, members, qun_of, texts

PROPOSED = "请发送“/认领 1”"


async def with_other_ids(env: BotEnvironment, *changes: str) -> None:
    """Restart the bot with a database that knows groups and their people by other ids than WeChat."""
    await env.stop_bot()
    with closing(sqlite3.connect(env.folder / "wxbot.db")) as database:
        for change in (
            "delete from directoryrow",
            "update qunroom set room_id = 'old-' || room_id",
            "update qun set owner_id = 'old-' || owner_id",
            "update membership set who = 'old-' || who, contact_id = 'old-' || contact_id, room_id = 'old-' || room_id",
            *changes,
        ):
            database.execute(change)
        database.commit()
    await env.start_bot()


async def joins(env: BotEnvironment) -> list[Any]:

    return [row.joins for row in await env.bot.container.store.read(lambda s: s.exec(select(DailyCount)).all())]


async def test_room_with_new_id_is_used_after_confirmation(env: BotEnvironment) -> None:
    qun = await group_with(env, "黑旋风", "九纹龙")
    before, welcomes = await joins(env), len(texts(env, "宋公明", qun["room"], "欢迎 @"))
    await with_other_ids(env)
    told = await env.receives("店长", PROPOSED)
    assert told.text.startswith(
        "“宋公明的群100001”（100001）在微信里的编号变了，助手找到一个同名的群：群主 宋公明，共 5 人"
    )
    assert "其中 4 人" in told.text
    assert "#1 100001 宋公明的群100001" in await asks(env, "店长", "/认领")
    assert await asks(env, "宋公明", "/认领 1") == "您没有权限执行此命令。"
    assert await asks(env, "店长", "/认领 1") == "好的，助手继续管理“宋公明的群100001”（100001）。"
    assert await asks(env, "店长", "/认领 1") == "没有编号为 1 的待认领的群，或者情况已经改变。"
    assert await asks(env, "店长", "/认领") == "没有等待认领的群。"
    assert qun_of(env, qun).owner_id == env.id("宋公明")
    assert "群编号：100001" in await asks(env, "宋公明", "/群信息", qun["room"])
    await env.bot.container.drift_check.check()
    everybody = {env.id(name) for name in ("宋公明", "智多星", "黑旋风", "九纹龙")}
    assert await members(env, qun) == everybody
    row = await env.bot.container.store.read(lambda s: membership_of(s, 100001, env.id("黑旋风")))
    assert row is not None
    assert row.state == MemberState.JOINED
    assert (await joins(env), len(texts(env, "宋公明", qun["room"], "欢迎 @"))) == (before, welcomes)
    await env.restart_bot()
    await env.wait_idle()
    assert len(texts(env, "店长", text=PROPOSED)) == 1


async def test_rejected_room_is_not_proposed_again(env: BotEnvironment) -> None:
    qun = await group_with(env)
    await with_other_ids(env)
    await env.receives("店长", PROPOSED)
    assert await asks(env, "店长", "/认领 1 否") == "好的，#1 不是原来的群。"
    await env.bot.container.recognition.propose_rooms(env.accounts[0])
    assert await asks(env, "店长", "/认领") == "没有等待认领的群。"
    assert env.bot.container.groups.by_room(env.accounts[0], qun["room"]) is None
    assert "写法：/认领 [编号 [否]]" in await asks(env, "店长", "/认领 1 也许")


async def test_room_of_other_people_is_not_proposed(env: BotEnvironment) -> None:
    """A room of another owner is not recognised, nor one of two similar rooms."""
    await group_with(env, "黑旋风")
    look = "update membership set name = name || '某' where name not in ('宋公明')"
    await with_other_ids(env, look)
    assert await env.bot.container.recognition.propose_rooms(env.accounts[0]) == 0
    assert await asks(env, "店长", "/认领") == "没有等待认领的群。"


async def test_two_similar_rooms_are_not_proposed(env: BotEnvironment) -> None:
    qun = await group_with(env)
    people = [env.id(name) for name in ("宋公明", "智多星")]
    twin = env.world.rooms.create(env.id("bot"), people, qun["topic"])
    await with_other_ids(env)
    assert twin.id in env.bot.assistants[0].directory.rooms
    assert await asks(env, "店长", "/认领") == "没有等待认领的群。"
