"""Batched writes."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from models.db import Store
from models.durable import Setting
from services.work import write_batcher
from services.work.write_batcher import WriteBatcher


def put(session: Session, items: list[str]) -> None:
    for item in items:
        if item == "bad":
            raise ValueError(item)
        session.add(Setting(key=item, value=""))


async def keys(store: Store) -> set[str]:
    return set(await store.read(lambda s: s.exec(select(Setting.key)).all()))


async def test_items_written_together_keep_their_order(sqlite_store: Store) -> None:
    batches: list[list[str]] = []

    def write(session: Session, items: list[str]) -> None:
        batches.append(items)
        put(session, items)

    gathered = WriteBatcher[str](sqlite_store, write)
    for i in range(1200):
        gathered.put(f"k{i:04}")
        if i == 0:
            await asyncio.sleep(0)
    await gathered.drain()
    assert len(batches) <= 4
    assert [k for batch in batches for k in batch] == [f"k{i:04}" for i in range(1200)]
    assert len(await keys(sqlite_store)) == 1200


async def test_unwritable_item_is_written_alone(sqlite_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    lost: list[str] = []
    gathered = WriteBatcher[str](sqlite_store, put, lost.append)
    for item in ("first", "a", "bad", "b", "bad", "c"):
        gathered.put(item)
    await gathered.drain()
    assert await keys(sqlite_store) == {"first", "a", "b", "c"}
    assert lost == ["bad", "bad"]
    assert "could not write an item" in caplog.text


async def test_unavailable_database_is_waited_for(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_batcher, "FIRST_WAIT", 0.01)
    tries = 0

    def away_twice(session: Session, items: list[str]) -> None:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise OperationalError("INSERT", {}, sqlite3.OperationalError("database is locked"))
        put(session, items)

    gathered = WriteBatcher[str](sqlite_store, away_twice)
    gathered.put("a")
    gathered.put("b")
    await gathered.drain()
    assert await keys(sqlite_store) == {"a", "b"}


async def test_damaged_database_discards_nothing(sqlite_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    await sqlite_store.write(lambda s: put(s, [f"k{number}" for number in range(1000)]))
    damage(sqlite_store)
    lost: list[str] = []
    gathered = WriteBatcher[str](sqlite_store, put, lost.append)
    gathered.put("a")
    await gathered.drain(0.5)
    assert "malformed" in str(await _error(sqlite_store))
    assert lost == []
    assert "could not write 1 items" in caplog.text


def damage(store: Store) -> None:
    """Overwrite all pages of the file except the first, and drop caches."""
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.engine.dispose()
    with Path(store.url.database or "").open("r+b") as file:
        pages = file.seek(0, 2) // 4096
        file.seek(4096)
        file.write(b"\xff" * 4096 * (pages - 1))


async def _error(store: Store) -> BaseException | None:
    return (await asyncio.gather(store.write(lambda s: put(s, ["b"])), return_exceptions=True))[0]


async def test_drain_is_bounded_in_time(sqlite_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    def away(_session: Session, _items: list[str]) -> None:
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("disk full"))

    gathered = WriteBatcher[str](sqlite_store, away)
    gathered.put("a")
    await gathered.drain(0.3)
    assert "could not write 1 items" in caplog.text


async def test_abandoned_items_are_not_written_later(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_batcher, "FIRST_WAIT", 0.01)
    is_away, tried = True, asyncio.Event()
    loop = asyncio.get_running_loop()

    def write(session: Session, items: list[str]) -> None:
        loop.call_soon_threadsafe(tried.set)
        if is_away:
            raise OperationalError("", {}, sqlite3.OperationalError("disk I/O error"))
        put(session, items)

    gathered = WriteBatcher[str](sqlite_store, write)
    gathered.put("k")
    await asyncio.wait_for(tried.wait(), 10)
    gathered.abandon()
    gathered.put("later")
    await sqlite_store.write(lambda _session: None)  # behind a try that is under way
    is_away = False
    await gathered.drain()
    assert await keys(sqlite_store) == set()
