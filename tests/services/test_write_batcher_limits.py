"""Batched writes: waits, sizes, refused items, and the end."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from models.db import Store
from models.durable import Setting
from models.fence import AccountLost
from services.work import write_batcher
from services.work.write_batcher import WriteBatcher
from tests.services.test_write_batcher import keys
from tests.services.test_write_batcher import put as put_keys
from tests.waiting import SECONDS

AWAY = OperationalError("", {}, sqlite3.OperationalError("disk I/O error"))


async def test_waits_for_the_database_grow_and_are_reset(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, waits = asyncio.get_running_loop(), []
    later = loop.call_later

    def call_later(seconds: float, then: Any, *args: Any) -> asyncio.TimerHandle:
        if getattr(then, "__name__", "") == "_flush":
            waits.append(seconds)
            seconds = 0
        return later(seconds, then, *args)

    monkeypatch.setattr(loop, "call_later", call_later)
    fails = 16  # a failed write is repeated alone

    def write(session: Session, items: list[str]) -> None:
        nonlocal fails
        if fails:
            fails -= 1
            raise AWAY
        put_keys(session, items)

    batcher = WriteBatcher[str](sqlite_store, write)
    batcher.put("a")
    await batcher.drain(60)
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    fails = 2
    batcher.put("b")
    await batcher.drain(60)
    assert waits[8:] == [0.1]
    assert await keys(sqlite_store) == {"a", "b"}


async def test_refused_item_is_lost_without_a_traceback(sqlite_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    def write(_session: Session, items: list[str]) -> None:
        raise AccountLost("m1") if items == ["refused"] else ValueError("bad")

    lost: list[str] = []
    batcher = WriteBatcher[str](sqlite_store, write, lost.append)
    batcher.put("refused")
    await batcher.drain(60)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "an item was not written: AccountLost")
    ]
    caplog.clear()
    batcher.put("bad")
    await batcher.drain(60)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert lost == ["refused", "bad"]


async def test_batches_are_limited(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_batcher, "MAX_AT_ONCE", 2)
    sizes: list[int] = []
    holds, goes_on = threading.Event(), threading.Event()

    def write(session: Session, items: list[str]) -> None:
        sizes.append(len(items))
        holds.set()
        goes_on.wait(60)
        put_keys(session, items)

    batcher = WriteBatcher[str](sqlite_store, write)
    for name in "abcdef":
        batcher.put(name)
        if name == "a":
            await asyncio.to_thread(holds.wait, 60)
    goes_on.set()
    await batcher.drain(60)
    assert sizes == [1, 2, 2, 1]


async def test_only_the_failed_batch_is_written_one_by_one(sqlite_store: Store) -> None:
    sizes: list[list[str]] = []
    holds, goes_on = threading.Event(), threading.Event()

    def write(session: Session, items: list[str]) -> None:
        if not sizes or sizes[-1] != items:  # a failed write is repeated alone
            sizes.append(list(items))
        holds.set()
        goes_on.wait(60)
        put_keys(session, items)

    batcher = WriteBatcher[str](sqlite_store, write)
    batcher.put("first")
    await asyncio.to_thread(holds.wait, 60)
    for name in ("a", "bad", "b"):
        batcher.put(name)
    goes_on.set()
    await batcher.drain(60)
    for name in ("c", "d"):
        batcher.put(name)
    await batcher.drain(60)
    assert sizes[:5] == [["first"], ["a", "bad", "b"], ["a"], ["bad"], ["b"]]
    assert [name for some in sizes[5:] for name in some] == ["c", "d"]
    assert await keys(sqlite_store) == {"first", "a", "b", "c", "d"}


async def test_closed_database_ends_the_writing(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    batcher = WriteBatcher[str](sqlite_store, put_keys)
    monkeypatch.setattr(type(sqlite_store), "is_open", False)
    batcher.put("a")
    await batcher.drain(0.01)
    batcher.put("b")
    assert len(batcher._waiting) == 2
    monkeypatch.undo()
    assert await keys(sqlite_store) == set()


async def test_waiting_ends_with_abandoning(sqlite_store: Store) -> None:
    loop, tried = asyncio.get_running_loop(), asyncio.Event()

    def write(_session: Session, _items: list[str]) -> None:
        loop.call_soon_threadsafe(tried.set)
        raise AWAY

    batcher = WriteBatcher[str](sqlite_store, write)
    batcher.put("a")
    await tried.wait()
    draining = asyncio.create_task(batcher.drain(1000))
    await asyncio.sleep(0)
    batcher.abandon()
    await asyncio.wait_for(draining, SECONDS)


async def test_nothing_waits_after_abandoning(sqlite_store: Store) -> None:
    batcher = WriteBatcher[str](sqlite_store, put_keys)
    batcher.put("a")
    await batcher.drain(60)
    batcher.abandon()
    batcher.put("b")
    await batcher.drain(60)
    assert await sqlite_store.read(lambda s: s.get(Setting, "b")) is None
