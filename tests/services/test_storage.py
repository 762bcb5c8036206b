"""The storage: group commit, isolated failures, durability of acknowledged writes."""

from __future__ import annotations

import asyncio
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, event, insert, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, select

from models import schema
from models.bulk_insert import in_bulk, write_bulk
from models.db import Store, after_commit
from models.durable import Setting
from tests.services.conftest import OpenStore
from tests.waiting import SECONDS

ROOT = Path(__file__).parents[2]
METADATA = SQLModel.metadata


def put(session: Session, key: str, value: str = "x") -> str:
    session.add(Setting(key=key, value=value))
    session.flush()
    return key


async def keys(store: Store) -> list[str]:
    return sorted(await store.read(lambda s: s.exec(select(Setting.key)).all()))


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

KEYS = insert(Setting).returning(Setting.key, sort_by_parameter_order=True)  # type: ignore[call-overload]


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
    event.listen(sqlite_store.engine, "before_cursor_execute", lambda _c, _k, sql, *_rest: statements.add(sql))

    def job(session: Session, start: int, count: int) -> None:
        rows = [{"key": f"{start}-{i}", "value": "x"} for i in range(count)]
        assert len(session.connection().execute(KEYS, rows).all()) == count

    for count in range(1, 120):
        await sqlite_store.write(partial(job, start=count, count=count))
    assert len(statements) <= 40


async def test_cancelled_caller_does_not_undo_the_write(store: Store) -> None:
    caller = asyncio.create_task(store.write(lambda s: put(s, "a")))
    await asyncio.sleep(0)
    caller.cancel()
    await store.write(lambda s: put(s, "b"))
    for _ in range(200):
        if await keys(store) == ["a", "b"]:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the write was taken back")


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


# ---- migrations ----


def shape(connection: Connection) -> dict[str, Any]:
    """Return the complete schema, in any order."""
    seen = inspect(connection)
    looks = (seen.get_columns, seen.get_indexes, seen.get_unique_constraints, seen.get_foreign_keys)
    tables: dict[str, Any] = {}
    for name in seen.get_table_names():
        parts = [sorted(str(_plain(part)) for part in look(name)) for look in looks]
        tables[name] = [*parts, seen.get_pk_constraint(name)["constrained_columns"]]
    return tables


def _plain(part: Any) -> Any:
    return {key: _plain(value) for key, value in part.items()} if isinstance(part, dict) else str(part)


def test_created_tables_equal_migrated_tables(database: str) -> None:
    shapes = []
    for make in (schema.create, schema.migrate):
        store = Store(database)
        with store.engine.connect() as connection:
            transaction = connection.begin()
            make(connection)
            shapes.append(shape(connection))
            assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA) == []
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == schema._newest()
            transaction.rollback()
        store.engine.dispose()
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) > 20


async def test_older_database_is_migrated(database: str, open_store: OpenStore) -> None:
    """Without a recorded version, all migrations are pending."""
    older = Store(database)
    with older.engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    older.engine.dispose()
    store = await open_store()
    await store.write(lambda s: put(s, "a"))
    assert await keys(store) == ["a", schema.OLDEST_KEY]


async def test_second_start_changes_nothing(open_store: OpenStore) -> None:
    first = await open_store()
    await first.write(lambda s: put(s, "kept"))
    await first.close()
    assert await keys(await open_store()) == ["kept"]


async def test_interrupted_migration_is_rolled_back(database: str, open_store: OpenStore) -> None:
    broken = Store(database)
    tables = 0

    def cut(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal tables
        tables += "CREATE TABLE" in statement
        if tables == 5 and "CREATE TABLE" in statement:
            raise RuntimeError("cut off")

    event.listen(broken.engine, "before_cursor_execute", cut)
    with pytest.raises(RuntimeError, match="cut off"):
        broken._migrate()
    assert inspect(broken.engine).get_table_names() == []
    broken.engine.dispose()
    store = await open_store()
    await store.write(lambda s: put(s, "a"))
