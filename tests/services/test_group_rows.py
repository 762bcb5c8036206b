"""Concurrent transactions on groups, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlmodel import select

from app.container import Container
from config import Config
from models.durable import OutboxItem
from models.groups import MemberRecord, Membership, Qun
from models.rules import Broadcast
from tests.doubles import InMemoryWeChat

SONG, ZHI, XUAN = "wxid_song", "wxid_zhi", "wxid_xuan"


@pytest.fixture
async def container(database: str) -> AsyncIterator[Container]:
    """The container over an empty database; nothing is sent, because the outbox is not started."""
    container = Container(Config(database=database, pacing={"enabled": False}, customer_service={"faq": ""}))
    wechat: Any = InMemoryWeChat()
    for contact_id, name in ((SONG, "宋公明"), (ZHI, "智多星"), (XUAN, "黑旋风")):
        wechat.knows(contact_id, name)
    container.accounts.add(wechat)
    await container.store.open()
    await container.groups.load()
    yield container
    await container.daily_stats.drain()
    await container.store.close()


async def group(container: Container) -> Qun:
    """A group of 宋公明's."""
    qun, made = await container.group_lifecycle.create("1", "宋公明", "weimi1001", "test")
    assert made
    return qun


async def promised(container: Container, text: str) -> int:
    """Count the queued messages that contain these words."""
    items = await container.store.read(lambda s: s.exec(select(OutboxItem)).all())
    return sum(text in item.body for item in items)


async def many(container: Container, write: Any, times: int = 12) -> list[Any]:
    """Run the same write concurrently."""
    return list(await asyncio.gather(*(container.store.write(write) for _ in range(times))))


async def test_join_and_leave_are_reported_once(container: Container) -> None:
    qun = await group(container)
    room = container.groups.rooms(qun)[0].room_id or ""
    told = await many(container, lambda s: container.recorder.record_joins(s, qun, room, XUAN))
    assert sorted(map(len, told)) == [0] * 11 + [1]
    assert await promised(container, "欢迎 @黑旋风") == 1
    gone = await many(container, lambda s: container.recorder.record_leave(s, qun, room, XUAN))
    assert sorted(gone) == [False] * 11 + [True]
    rows = await container.store.read(lambda s: s.exec(select(Membership).where(Membership.contact_id == XUAN)).all())
    assert [row.state for row in rows] == ["left"]
    [today] = await container.daily_stats.days(qun.number, 1)
    assert (today.joins, today.leaves) == (1, 1)


async def test_all_warnings_are_counted(container: Container) -> None:
    qun = await group(container)
    limit = container.config.groups.warn_limit
    counts = await many(container, lambda s: container.sanctions.warn(s, qun, "room", XUAN, "黑旋风", "理由", "test"))
    assert sorted(counts) == list(range(1, 13))
    assert await promised(container, "次警告") == limit - 1
    kept = await container.store.read(lambda s: s.get(MemberRecord, (qun.number, XUAN)))
    assert kept is not None
    assert (kept.warnings, kept.blacklisted, kept.name) == (12, True, "黑旋风")
    await container.store.write(lambda s: container.sanctions.unblacklist(s, qun, XUAN, "test"))
    kept = await container.store.read(lambda s: s.get(MemberRecord, (qun.number, XUAN)))
    assert kept is not None
    assert (kept.warnings, kept.blacklisted, kept.name) == (0, False, "黑旋风")


async def test_group_is_lost_and_found_once(container: Container) -> None:
    qun = await group(container)
    room = container.groups.rooms(qun)[0].room_id or ""
    await many(container, lambda s: container.room_presence.mark_lost(s, qun.account, room))
    assert await promised(container, "助手已不在") == 1
    lost = container.groups.by_number(qun.number)
    assert lost is not None
    assert lost.state == "lost"
    assert not container.groups.is_active(qun.account, room)
    await many(container, lambda s: container.room_presence.mark_found(s, qun.account, room))
    assert await promised(container, "助手已回到") == 1
    assert container.groups.is_active(qun.account, room)


async def test_broadcast_is_queued_once(container: Container) -> None:
    await group(container)
    await container.store.write(lambda s: container.broadcasts.ask(s, "weimi1001", SONG, "一"))
    await container.store.write(lambda s: container.broadcasts.ask(s, "weimi1001", SONG, "二"))
    waiting = await container.broadcasts.unconfirmed("weimi1001", SONG)
    assert waiting is not None
    assert waiting.text == "二"
    assert await container.broadcasts.unconfirmed("weimi1001", ZHI) is None
    sent = await many(container, lambda s: container.broadcasts.send(s, waiting))
    assert sorted(sent) == [0] * 11 + [1]
    kept = await container.store.read(lambda s: s.exec(select(Broadcast).order_by(Broadcast.id)).all())  # type: ignore[arg-type]
    assert [row.state for row in kept] == ["cancelled", "sent"]


async def test_timed_message_is_queued_once(container: Container) -> None:
    qun = await group(container)
    added = await container.store.write(
        lambda s: container.timed_messages.add(s, qun, "* * * * *", "到点了", f"person:{SONG}")
    )
    added.next_at = container.clock() - 60
    await container.store.write(lambda s: s.merge(added))
    assert sum(await asyncio.gather(*(container.timed_messages.run() for _ in range(8)))) == 1
    assert await promised(container, "到点了") == 1
    [row] = await container.timed_messages.of(qun)
    assert row.next_at > container.clock()


async def test_message_counts_are_batched(container: Container) -> None:
    qun = await group(container)
    for _ in range(500):
        container.daily_stats.count_message(qun.number)
    await container.daily_stats.drain()
    assert [day.messages for day in await container.daily_stats.days(qun.number, 14)] == [0] * 13 + [500]
