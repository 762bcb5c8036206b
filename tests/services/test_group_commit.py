"""Writes that deadlock with another process are retried a limited number of times."""

from __future__ import annotations

import psycopg.errors
import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from models.db import Store
from models.durable import Setting
from models.group_commit import ATTEMPTS


def failing(times: int, error: Exception) -> tuple[list[int], object]:
    """Return a write that fails `times` times before it succeeds, and its number of runs."""
    runs: list[int] = []

    def write(session: Session) -> str:
        runs.append(len(runs) + 1)
        session.add(Setting(key=f"k{len(runs)}", value=""))
        session.flush()
        if len(runs) <= times:
            raise OperationalError("UPDATE", {}, error)
        return "done"

    return runs, write


async def keys(store: Store) -> list[str]:
    from sqlmodel import select

    return list(await store.read(lambda s: s.exec(select(Setting.key)).all()))


# Once with the others of its commit, then ATTEMPTS times alone.
@pytest.mark.parametrize("times", range(ATTEMPTS + 1))
async def test_deadlocked_write_is_retried(sqlite_store: Store, times: int) -> None:
    runs, write = failing(times, psycopg.errors.DeadlockDetected())
    assert await sqlite_store.write(write) == "done"  # type: ignore[arg-type]
    assert len(runs) == times + 1
    assert await keys(sqlite_store) == [f"k{times + 1}"], "nothing stays of the tries before"


async def test_retries_are_limited(sqlite_store: Store) -> None:
    runs, write = failing(99, psycopg.errors.DeadlockDetected())
    with pytest.raises(OperationalError):
        await sqlite_store.write(write)  # type: ignore[arg-type]
    assert len(runs) == 1 + 3
    assert await keys(sqlite_store) == []


@pytest.mark.parametrize("error", [psycopg.errors.LockNotAvailable(), psycopg.OperationalError(), ValueError()])
async def test_other_errors_are_raised_at_once(sqlite_store: Store, error: Exception) -> None:
    runs, write = failing(99, error)
    with pytest.raises(OperationalError):
        await sqlite_store.write(write)  # type: ignore[arg-type]
    assert len(runs) == 2, "with the others of its commit, then alone"


async def test_deadlock_does_not_fail_other_writes(sqlite_store: Store) -> None:
    runs, write = failing(2, psycopg.errors.DeadlockDetected())
    writes = [sqlite_store.write_soon(lambda s: s.add(Setting(key="before", value=""))), sqlite_store.write_soon(write)]  # type: ignore[arg-type]
    for task in writes:
        await task
    assert sorted(await keys(sqlite_store)) == ["before", "k3"]
    assert len(runs) == 3
