"""The instance lock, on both kinds of database."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from models import instance_lock
from models.db import parse
from models.instance_lock import DatabaseInUse, ServerLock, acquire_instance_lock
from tests.waiting import SECONDS

ROOT = Path(__file__).parent.parent.parent
HOLD = """
import asyncio, sys
from models.instance_lock import acquire_instance_lock
async def hold():
    held = await acquire_instance_lock(sys.argv[1], lambda: None)
    print("held", flush=True)
    await asyncio.Event().wait()
    held.close()
asyncio.run(hold())
"""


def never() -> None:
    pytest.fail("the lock was lost")


async def test_second_holder_is_refused_until_release(database: str) -> None:
    first = await acquire_instance_lock(database, never)
    with pytest.raises(DatabaseInUse, match="another wxbot"):
        await acquire_instance_lock(database, never, wait_seconds=0.1)
    first.close()
    (await acquire_instance_lock(database, never, wait_seconds=SECONDS)).close()


async def test_lock_is_released_with_its_process(database: str) -> None:
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, database, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout is not None
    try:
        assert await asyncio.wait_for(other.stdout.readline(), SECONDS) == b"held\n"
        with pytest.raises(DatabaseInUse):
            await acquire_instance_lock(database, never, wait_seconds=0.1)
    finally:
        other.kill()
        await other.wait()
    (await acquire_instance_lock(database, never, wait_seconds=SECONDS)).close()


async def test_another_path_to_the_database_is_the_same_lock(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "wxbot.db")
    first = await acquire_instance_lock(f"sqlite:///{tmp_path}/wxbot.db", never)
    with pytest.raises(DatabaseInUse, match=r"process [0-9]+"):
        await acquire_instance_lock(f"sqlite:///{tmp_path}/link.db", never)
    first.close()


@pytest.mark.postgres
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_lost_connection_is_restored_or_reported(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance_lock, "CHECK_SECONDS", 0.05)
    lost = asyncio.Event()
    first = await acquire_instance_lock(database, lost.set)
    rival = ServerLock(parse(database))
    engine = create_engine(parse(database), isolation_level="AUTOCOMMIT")
    ours = text("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM "
                "pg_database WHERE datname = current_database())")  # fmt: skip
    cut_off = text("SELECT pg_terminate_backend(:pid)")
    with engine.connect() as connection:
        holder = connection.execute(ours).scalar()
        connection.execute(cut_off, {"pid": holder})
        while connection.execute(ours).scalar() in (None, holder):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert not rival.take(), "it is held again, by another connection"
        assert not lost.is_set()
        while not rival.take():  # whichever process is faster gets the lock
            connection.execute(cut_off, {"pid": connection.execute(ours).scalar()})
    await asyncio.wait_for(lost.wait(), SECONDS)
    first.close()
    rival.close()
    engine.dispose()
