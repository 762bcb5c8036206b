"""What is counted and what happens once, when many transactions want it at the same moment, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlmodel import select

from config import Config
from models.durable import OutboxItem
from models.groups import Membership, Qun, Standing
from models.rules import Broadcast
from services.house import House
from tests.doubles import InMemoryWeChat

SONG, ZHI, XUAN = "wxid_song", "wxid_zhi", "wxid_xuan"


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    """The parts over an empty database; nothing is sent, for the outbox is not started."""
    house = House(Config(database=database, pacing={"enabled": False}, customer_service={"faq": ""}))
    wechat: Any = InMemoryWeChat()
    for contact_id, name in ((SONG, "宋公明"), (ZHI, "智多星"), (XUAN, "黑旋风")):
        wechat.knows(contact_id, name)
    house.accounts.add(wechat)
    await house.store.open()
    await house.groups.load()
    yield house
    await house.tally.drain()
    await house.store.close()


async def group(house: House) -> Qun:
    """A group of 宋公明's."""
    qun, made = await house.groups.create("1", "宋公明", "weimi1001", "test")
    assert made
    return qun


async def promised(house: House, words: str) -> int:
    """How many messages holding these words were promised."""
    items = await house.store.read(lambda s: s.exec(select(OutboxItem)).all())
    return sum(words in item.body for item in items)


async def many(house: House, write: Any, times: int = 12) -> list[Any]:
    """The same write, so often at once."""
    return list(await asyncio.gather(*(house.store.write(write) for _ in range(times))))


async def test_a_join_and_a_leave_are_told_once(house: House) -> None:
    qun = await group(house)
    room = house.groups.rooms(qun)[0].room_id or ""
    told = await many(house, lambda s: house.arrivals.joined(s, qun, room, XUAN))
    assert sorted(map(len, told)) == [0] * 11 + [1]
    assert await promised(house, "欢迎 黑旋风") == 1
    gone = await many(house, lambda s: house.arrivals.left(s, qun, room, XUAN))
    assert sorted(gone) == [False] * 11 + [True]
    rows = await house.store.read(lambda s: s.exec(select(Membership).where(Membership.contact_id == XUAN)).all())
    assert [row.state for row in rows] == ["left"]
    [today] = await house.tally.days(qun.number, 1)
    assert (today.joins, today.leaves) == (1, 1)


async def test_warnings_are_all_counted(house: House) -> None:
    qun = await group(house)
    limit = house.config.groups.warn_limit
    counts = await many(house, lambda s: house.ladder.warn(s, qun, "room", XUAN, "黑旋风", "理由", "test"))
    assert sorted(counts) == list(range(1, 13))
    assert await promised(house, "次警告") == limit - 1
    kept = await house.store.read(lambda s: s.get(Standing, (qun.number, XUAN)))
    assert kept is not None
    assert (kept.warnings, kept.blacklisted, kept.name) == (12, True, "黑旋风")
    await house.store.write(lambda s: house.ladder.forgive(s, qun, XUAN, "test"))
    kept = await house.store.read(lambda s: s.get(Standing, (qun.number, XUAN)))
    assert kept is not None
    assert (kept.warnings, kept.blacklisted, kept.name) == (0, False, "黑旋风")


async def test_a_group_is_lost_and_found_once(house: House) -> None:
    qun = await group(house)
    room = house.groups.rooms(qun)[0].room_id or ""
    await many(house, lambda s: house.groups.lose_room(s, qun.account, room))
    assert await promised(house, "助手已不在") == 1
    lost = house.groups.by_number(qun.number)
    assert lost is not None
    assert lost.state == "lost"
    assert not house.groups.is_active(qun.account, room)
    await many(house, lambda s: house.groups.find_room(s, qun.account, room))
    assert await promised(house, "助手已回到") == 1
    assert house.groups.is_active(qun.account, room)


async def test_a_broadcast_is_sent_once(house: House) -> None:
    await group(house)
    await house.store.write(lambda s: house.broadcasts.ask(s, "weimi1001", SONG, "一"))
    await house.store.write(lambda s: house.broadcasts.ask(s, "weimi1001", SONG, "二"))
    waiting = await house.broadcasts.waiting("weimi1001", SONG)
    assert waiting is not None
    assert waiting.text == "二"
    assert await house.broadcasts.waiting("weimi1001", ZHI) is None
    sent = await many(house, lambda s: house.broadcasts.send(s, waiting))
    assert sorted(sent) == [0] * 11 + [1]
    kept = await house.store.read(lambda s: s.exec(select(Broadcast).order_by(Broadcast.id)).all())  # type: ignore[arg-type]
    assert [row.state for row in kept] == ["cancelled", "sent"]


async def test_a_timed_message_is_promised_once(house: House) -> None:
    qun = await group(house)
    due = house.clock() - 60
    await house.store.write(lambda s: house.timed.add(s, qun, "* * * * *", "到点了", SONG, due))
    assert sum(await asyncio.gather(*(house.timed.run() for _ in range(8)))) == 1
    assert await promised(house, "到点了") == 1
    [row] = await house.timed.of(qun)
    assert row.next_at > house.clock()


async def test_messages_are_gathered(house: House) -> None:
    qun = await group(house)
    for _ in range(500):
        house.tally.message(qun.number)
    await house.tally.drain()
    assert [day.messages for day in await house.tally.days(qun.number, 14)] == [0] * 13 + [500]
