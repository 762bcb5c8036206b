"""The storage: group commit, isolated failures, durability of acknowledged writes."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import Session, col, select

from models.bulk_insert import in_bulk, write_bulk
from models.db import Store, after_commit
from models.durable import Setting
from models.fence import AccountLost
from models.row_statements import insert_rows
from tests.services.conftest import OpenStore
from tests.services.stored_settings import keys, put
from tests.waiting import SECONDS, until

ROOT = Path(__file__).parents[2]


async def test_write_returns_after_it_is_visible(store: Store) -> None:
    assert await store.write(lambda s: put(s, "a")) == "a"
    assert await keys(store) == ["a"]


async def test_failed_write_is_rolled_back_and_raised(store: Store) -> None:
    def fail(session: Session) -> None:
        put(session, "half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.write(fail)
    assert await keys(store) == []


async def test_failing_write_does_not_fail_its_group(store: Store) -> None:
    await store.write(lambda s: put(s, "taken"))
    told: list[str] = []

    def job(session: Session, key: str) -> str:
        after_commit(session, lambda: told.append(key))
        return put(session, key)

    names = [f"k{i:03}" for i in range(100)]
    names[50] = "taken"
    results = await asyncio.gather(*(store.write(partial(job, key=k)) for k in names), return_exceptions=True)
    assert isinstance(results[50], IntegrityError)
    good = [k for k in names if k != "taken"]
    assert [r for r in results if isinstance(r, str)] == good
    assert await keys(store) == sorted([*good, "taken"])
    assert sorted(told) == good, "what follows a commit follows it once, and no failure"


async def test_waiting_writes_share_a_commit(sqlite_store: Store) -> None:
    commits: list[Any] = []
    event.listen(sqlite_store.engine, "commit", commits.append)
    await asyncio.gather(*(sqlite_store.write(partial(put, key=f"k{i}")) for i in range(500)))
    assert len(commits) <= 50
    assert len(await keys(sqlite_store)) == 500


# ---- bulk inserts ----

KEYS = insert_rows(Setting, ("key", "value"), col(Setting.key))


def leave(session: Session, key: str, told: list[str]) -> str:
    in_bulk(session, KEYS, {"key": key, "value": "x"}, lambda row: told.append(row[0]))
    return key


async def test_bulk_rows_are_written_together_in_order(sqlite_store: Store) -> None:
    inserts: list[str] = []
    event.listen(sqlite_store.engine, "before_cursor_execute", lambda _c, _k, sql, *_rest: inserts.append(sql[:6]))
    told: list[str] = []
    names = [f"k{i:03}" for i in range(200)]
    await asyncio.gather(*(sqlite_store.write(partial(leave, key=key, told=told)) for key in names))
    assert told == names == await keys(sqlite_store)
    assert inserts.count("INSERT") <= 40


async def test_bulk_row_of_a_failed_write_is_not_written(store: Store) -> None:
    told: list[str] = []

    def fail(session: Session) -> None:
        leave(session, "half", told)
        raise ValueError("no")

    writes = (store.write(partial(leave, key="a", told=told)), store.write(fail))
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert results[0] == "a" and isinstance(results[1], ValueError)
    assert await keys(store) == ["a"]
    assert set(told) == {"a"}


async def test_invalid_bulk_row_fails_only_its_write(store: Store) -> None:
    await store.write(lambda s: put(s, "taken"))
    names = ["a", "taken", "b"]
    writes = (store.write(partial(leave, key=key, told=[])) for key in names)
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(results[1], IntegrityError)
    assert (results[0], results[2]) == ("a", "b")
    assert await keys(store) == ["a", "b", "taken"]


async def test_flushed_bulk_row_is_visible_to_its_write(store: Store) -> None:
    def job(session: Session) -> list[int]:
        seen = []
        leave(session, "a", [])
        for asked in (False, True):
            if asked:
                write_bulk(session)
            seen.append(len(session.exec(select(Setting.key)).all()))
        return seen

    assert await store.write(job) == [0, 1]
    assert await keys(store) == ["a"], "and is not written twice"


async def test_prepared_statements_are_bounded(sqlite_store: Store) -> None:
    """The driver keeps prepared statements, so there must be few different ones."""
    statements: set[str] = set()
    keys = insert(Setting).returning(Setting.key, sort_by_parameter_order=True)  # type: ignore[call-overload]
    event.listen(sqlite_store.engine, "before_cursor_execute", lambda _c, _k, sql, *_rest: statements.add(sql))

    def job(session: Session, start: int, count: int) -> None:
        rows = [{"key": f"{start}-{i}", "value": "x"} for i in range(count)]
        assert len(session.connection().execute(keys, rows).all()) == count

    for count in range(1, 120):
        await sqlite_store.write(partial(job, start=count, count=count))
    assert len(statements) <= 40


async def test_cancelled_caller_does_not_undo_the_write(store: Store) -> None:
    caller = asyncio.create_task(store.write(lambda s: put(s, "a")))
    await asyncio.sleep(0)
    caller.cancel()
    await store.write(lambda s: put(s, "b"))

    async def both_are_stored() -> bool:
        return await keys(store) == ["a", "b"]

    await until(both_are_stored, "the write of the cancelled caller is kept")


@pytest.mark.parametrize("error", [OperationalError(None, None, OSError("away")), AccountLost("m1"), ValueError("odd")])
async def test_failure_without_a_caller_is_logged_once(
    sqlite_store: Store, unretrieved: list[str], caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(_session: Session) -> None:
        raise error

    caller = asyncio.create_task(sqlite_store.write(fail))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    sqlite_store.write_in_background(fail)
    await sqlite_store.write(lambda s: put(s, "later"))
    await asyncio.sleep(0)
    del caller
    gc.collect()
    assert unretrieved == []
    logged = [record for record in caplog.records if "write in the background failed" in record.getMessage()]
    assert [bool(record.exc_info) for record in logged] == 2 * [isinstance(error, ValueError)]


async def test_database_error_contains_no_parameters(store: Store) -> None:
    """Such errors are logged."""
    await store.write(lambda s: put(s, "a"))
    with pytest.raises(IntegrityError) as caught:
        await store.write(lambda s: put(s, "a", "a secret said"))
    assert "INSERT INTO setting" in str(caught.value)
    assert "a secret said" not in str(caught.value)


async def test_failing_after_commit_hook_does_no_harm(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    def job(session: Session) -> str:
        after_commit(session, lambda: 1 / 0)
        return put(session, "a")

    first, second = await asyncio.gather(store.write(job), store.write(lambda s: put(s, "b")))
    assert (first, second) == ("a", "b")
    assert "a callback after a commit failed" in caplog.text


async def test_close_finishes_waiting_writes_and_rejects_later_ones(open_store: OpenStore) -> None:
    store = await open_store()
    waiting = [store.write_soon(partial(put, key=f"k{i:02}")) for i in range(20)]
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        await store.write(lambda s: put(s, "late"))
    await closing
    assert [f.result() for f in waiting] == [f"k{i:02}" for i in range(20)]
    assert await keys(await open_store()) == [f"k{i:02}" for i in range(20)]


async def test_two_deadlocked_writes_both_succeed(store: Store) -> None:
    """On PostgreSQL one of them is aborted and repeated; on SQLite they cannot conflict."""
    await store.write(lambda s: (put(s, "a"), put(s, "b")))

    def change(session: Session, first: str, second: str) -> None:
        for key in (first, second):
            row = session.get_one(Setting, key, with_for_update=True)
            row.value += first
            session.flush()
            time.sleep(0.05)  # long enough for the other write to lock what this one needs next

    pairs = [("a", "b"), ("b", "a")]
    await asyncio.gather(*(store.write(partial(change, first=a, second=b)) for a, b in pairs))
    row = await store.read(lambda s: s.get_one(Setting, "a"))
    assert len(row.value) == 1 + 2


@pytest.mark.parametrize("after", [0, 300])
async def test_kill_9_loses_no_acknowledged_row(database: str, open_store: OpenStore, after: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.services.write_load", database, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(after + 1):
        await asyncio.wait_for(process.stdout.readline(), SECONDS)
    process.kill()
    rest = await process.stdout.read()
    await process.wait()
    acknowledged = {f"row-{int(line):07}" for line in rest.split(b"\n")[:-1]}  # a torn last line is not a number
    stored = set(await keys(await open_store()))
    assert acknowledged <= stored
    assert len(stored) >= after
