"""The storage: commits shared, failures kept apart, nothing acknowledged is ever lost."""

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
from sqlalchemy import event, inspect
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, select

from models.db import Store, after_commit
from models.durable import Setting
from tests.services.conftest import OpenStore

ROOT = Path(__file__).parents[2]


def put(session: Session, key: str, value: str = "x") -> str:
    session.add(Setting(key=key, value=value))
    session.flush()
    return key


async def keys(store: Store) -> list[str]:
    return sorted(await store.read(lambda s: s.exec(select(Setting.key)).all()))


async def test_a_write_returns_its_value_once_a_reader_sees_it(store: Store) -> None:
    assert await store.write(lambda s: put(s, "a")) == "a"
    assert await keys(store) == ["a"]


async def test_a_failed_write_is_undone_and_told(store: Store) -> None:
    def fail(session: Session) -> None:
        put(session, "half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.write(fail)
    assert await keys(store) == []


async def test_one_failing_job_takes_none_of_its_neighbours_down(store: Store) -> None:
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


async def test_a_caller_that_goes_away_takes_nothing_back(store: Store) -> None:
    caller = asyncio.create_task(store.write(lambda s: put(s, "a")))
    await asyncio.sleep(0)
    caller.cancel()
    await store.write(lambda s: put(s, "b"))
    for _ in range(200):
        if await keys(store) == ["a", "b"]:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the write was taken back")


async def test_an_error_of_the_database_does_not_say_what_people_wrote(store: Store) -> None:
    """Such errors are logged."""
    await store.write(lambda s: put(s, "a"))
    with pytest.raises(IntegrityError) as caught:
        await store.write(lambda s: put(s, "a", "a secret said"))
    assert "INSERT INTO setting" in str(caught.value)
    assert "a secret said" not in str(caught.value)


async def test_what_follows_a_commit_may_fail_without_harm(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    def job(session: Session) -> str:
        after_commit(session, lambda: 1 / 0)  # type: ignore[arg-type, return-value]
        return put(session, "a")

    first, second = await asyncio.gather(store.write(job), store.write(lambda s: put(s, "b")))
    assert (first, second) == ("a", "b")
    assert "what follows a commit failed" in caplog.text


async def test_closing_finishes_what_waits_and_refuses_what_comes_later(open_store: OpenStore) -> None:
    store = await open_store()
    waiting = [store.write_soon(partial(put, key=f"k{i:02}")) for i in range(20)]
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        await store.write(lambda s: put(s, "late"))
    await closing
    assert [f.result() for f in waiting] == [f"k{i:02}" for i in range(20)]
    assert await keys(await open_store()) == [f"k{i:02}" for i in range(20)]


async def test_two_who_deadlock_both_get_through(store: Store) -> None:
    """On PostgreSQL one of them is thrown out, and done again; on SQLite they never meet."""
    await store.write(lambda s: (put(s, "a"), put(s, "b")))

    def change(session: Session, first: str, second: str) -> None:
        for key in (first, second):
            row = session.get_one(Setting, key, with_for_update=True)
            row.value += first
            session.flush()
            time.sleep(0.05)  # long enough for the other one to hold what this one wants next

    pairs = [("a", "b"), ("b", "a")]
    await asyncio.gather(*(store.write(partial(change, first=a, second=b)) for a, b in pairs))
    row = await store.read(lambda s: s.get_one(Setting, "a"))
    assert len(row.value) == 1 + 2


@pytest.mark.parametrize("after", [0, 300])
async def test_kill_9_loses_no_acknowledged_row(database: str, open_store: OpenStore, after: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.services.storm", database, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(after + 1):
        await asyncio.wait_for(process.stdout.readline(), 60)
    process.kill()
    rest = await process.stdout.read()
    await process.wait()
    acknowledged = {f"row-{int(line):07}" for line in rest.split(b"\n")[:-1]}  # a torn last line is no number
    stored = set(await keys(await open_store()))
    assert acknowledged <= stored
    assert len(stored) >= after


# ---- migrations ----


async def test_migrations_from_nothing_are_in_step_with_the_tables(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


async def test_a_second_start_changes_nothing(open_store: OpenStore) -> None:
    first = await open_store()
    await first.write(lambda s: put(s, "kept"))
    await first.close()
    assert await keys(await open_store()) == ["kept"]


async def test_a_start_cut_off_in_its_migration_leaves_nothing_half_made(database: str, open_store: OpenStore) -> None:
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
