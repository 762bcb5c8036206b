"""Batched lookups: every caller gets its own result, and errors reach all callers of the batch."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Collection

import pytest
from sqlmodel import Session

from models.db import Store
from services.work.read_batcher import ReadBatcher


class RecordingReader:
    """Reads from a mapping and records the requested keys."""

    def __init__(self) -> None:
        self.reads: list[list[str]] = []
        self.broken = False

    def read(self, _session: Session, keys: Collection[str]) -> dict[str, int]:
        self.reads.append(list(keys))
        if self.broken:
            raise OSError("away")
        return {key: len(key) for key in keys if "x" not in key}


async def test_concurrent_lookups_share_the_next_read(sqlite_store: Store) -> None:
    reader = RecordingReader()
    lookup = ReadBatcher(sqlite_store.read, reader.read)
    names = ["a", "bb", "xx", "a", *(f"k{i}" for i in range(100))]
    found = await asyncio.gather(*(lookup(name) for name in names))
    assert found[:4] == [1, 2, None, 1]
    assert [key for read in reader.reads for key in read] == list(dict.fromkeys(names)), "each once"
    assert len(reader.reads) <= 2
    assert await lookup("a") == 1
    assert reader.reads[-1] == ["a"], "asked again, it is read again"


async def test_failed_read_reaches_all_callers_and_the_next_succeeds(sqlite_store: Store) -> None:
    reader = RecordingReader()
    lookup = ReadBatcher(sqlite_store.read, reader.read)
    reader.broken = True
    results = await asyncio.gather(lookup("a"), lookup("b"), return_exceptions=True)
    assert [type(result) for result in results] == [OSError, OSError]
    reader.broken = False
    assert await lookup("a") == 1


async def test_failure_after_the_caller_was_cancelled_is_not_reported_by_asyncio(
    sqlite_store: Store, unretrieved: list[str]
) -> None:
    reader = RecordingReader()
    reader.broken = True
    lookup = ReadBatcher(sqlite_store.read, reader.read)
    asked = asyncio.create_task(lookup("a"))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    with pytest.raises(OSError, match="away"):
        await lookup("b")
    del asked
    gc.collect()
    assert unretrieved == []


async def test_cancelled_caller_does_not_cancel_others(sqlite_store: Store) -> None:
    lookup = ReadBatcher(sqlite_store.read, RecordingReader().read)
    first, second = asyncio.create_task(lookup("a")), asyncio.create_task(lookup("a"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first
