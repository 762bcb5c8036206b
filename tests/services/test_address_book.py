"""The directory across a restart."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial

import pytest

from models.db import Store
from models.durable import DirectoryRow
from services.accounts.address_book import AddressBook
from tests.doubles import SELF, InMemoryWeChat
from tests.services.clock import Clock
from tests.waiting import until
from wechat.directory import CachedDirectory
from wechat.entities import Contact, Room

LI = Contact("wxid_li", "李逵", "铁牛", "li_kui", True, False, "http://x/a.jpg")


def _known() -> InMemoryWeChat:
    wechat = InMemoryWeChat("a")
    wechat.directory.put_contact(LI)
    wechat.directory.put_room(Room("r@chatroom", "聚义厅", LI.id, ("wxid_wu",), {LI.id, SELF}))
    return wechat


def _fresh() -> InMemoryWeChat:
    wechat = InMemoryWeChat("a")
    wechat.directory = CachedDirectory()
    return wechat


async def _packed(store: Store) -> bytes | None:
    row = await store.read(lambda s: s.get(DirectoryRow, "a"))
    return row.data if row else None


async def _saved_at(store: Store) -> float:
    row = await store.read(lambda s: s.get(DirectoryRow, "a"))
    return row.saved_at if row else 0.0


async def test_directory_is_restored_after_restart(store: Store, clock: Clock) -> None:
    await AddressBook(store, _known().whole(), clock).save()
    again = _fresh()
    book = AddressBook(store, again.whole(), clock)
    await book.start(await _packed(store))
    directory = again.directory
    assert directory.owner_id == SELF
    assert directory.find("铁牛", friends=True) == [LI]
    (room,) = directory.room_by_topic("聚义厅")
    assert (room.owner_id, room.admin_ids, room.member_ids) == (LI.id, ("wxid_wu",), {LI.id, SELF})
    await book.stop()


async def test_empty_address_book_restores_empty_directory(store: Store, clock: Clock) -> None:
    wechat = _fresh()
    book = AddressBook(store, wechat.whole(), clock)
    await book.start(await _packed(store))
    assert wechat.directory.contacts == {}
    await book.stop()
    assert await _saved_at(store) == 0, "nobody has logged in: there is nothing to keep"


async def test_failed_save_does_not_fail_stop(
    sqlite_store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await sqlite_store.close()
    await AddressBook(sqlite_store, _known().whole(), clock).stop()
    assert "could not store" in caplog.text


async def test_directory_is_saved_only_when_changed(sqlite_store: Store, clock: Clock) -> None:
    wechat = _known()
    book = AddressBook(sqlite_store, wechat.whole(), clock)
    await book.save()
    first, clock.now = clock.now, clock.now + 100
    wechat.directory.put_contact(Contact(*[getattr(LI, f) for f in LI.__slots__]))  # read again without a change
    wechat.directory.put_room(Room("r@chatroom", "聚义厅", LI.id, ("wxid_wu",), {LI.id, SELF}), datetime.now(UTC))
    await book.save()
    assert await _saved_at(sqlite_store) == first
    wechat.directory.add_members("r@chatroom", ["wxid_wu"], datetime.now(UTC))
    await book.save()
    assert await _saved_at(sqlite_store) == clock.now


async def test_loaded_directory_is_not_stored_again(sqlite_store: Store, clock: Clock) -> None:
    await AddressBook(sqlite_store, _known().whole(), clock).save()
    saved, clock.now = clock.now, clock.now + 100
    again = _fresh()
    book = AddressBook(sqlite_store, again.whole(), clock)
    await book.start(await _packed(sqlite_store))
    await book.stop()
    assert await _saved_at(sqlite_store) == saved


async def test_first_change_is_stored(sqlite_store: Store, clock: Clock) -> None:
    wechat = _fresh()
    wechat.directory.owner_id = SELF
    wechat.directory.put_contact(LI)
    assert wechat.directory.version == 1
    await AddressBook(sqlite_store, wechat.whole(), clock).save()
    assert await _saved_at(sqlite_store) == clock.now


async def test_changes_are_stored_from_time_to_time(
    sqlite_store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def wait(seconds: float) -> None:
        if seconds > 1:
            waits.append(seconds)
        await sleep(0.001)

    wechat = _known()
    book = AddressBook(sqlite_store, wechat.whole(), clock)
    monkeypatch.setattr("services.accounts.address_book.asyncio.sleep", wait)
    await book.start(None)
    try:
        for name in ("李逵", "黑旋风"):
            clock.now += 10
            wechat.directory.put_contact(Contact(LI.id, name))
            now = clock.now
            await until(partial(_is_saved_at, sqlite_store, now))
    finally:
        monkeypatch.undo()
        await book.stop()
    assert set(waits) == {300.0}


async def _is_saved_at(store: Store, at: float) -> bool:
    return await _saved_at(store) == at


@pytest.mark.parametrize("change", ["contact", "gone", "left", "topic", "room", "room gone"])
def test_every_change_is_noticed(change: str) -> None:
    directory = _known().directory
    before, now = directory.version, datetime.now(UTC)
    {
        "contact": lambda: directory.put_contact(Contact(LI.id, "李二")),
        "gone": lambda: directory.drop_contact(LI.id),
        "left": lambda: directory.remove_members("r@chatroom", [LI.id], now),
        "topic": lambda: directory.set_topic_of("r@chatroom", "忠义堂"),
        "room": lambda: directory.put_room(Room("r@chatroom", "聚义厅", LI.id, (), {LI.id})),
        "room gone": lambda: directory.drop_room("r@chatroom"),
    }[change]()
    assert directory.version != before
