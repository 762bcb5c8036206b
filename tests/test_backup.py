"""Backups: made while the bot writes, rejected where they would do harm, and restorable."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from models.db import Store
from models.durable import Setting
from models.instance_lock import FileLock
from tools import backup
from tools.backup import make, restore
from tools.backup_error import BackupError


async def write(store: Store, first: int, last: int) -> None:
    for number in range(first, last):
        await store.write(lambda s, n=number: s.add(Setting(key=f"k{n}", value="v")))  # type: ignore[misc]


def count(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        (number,) = connection.execute("SELECT count(*) FROM setting").fetchone()
    connection.close()
    return int(number)


async def test_online_backup_is_consistent_and_restorable(tmp_path: Path) -> None:
    database, copy = tmp_path / "wxbot.db", tmp_path / "copy.db"
    store = Store(f"sqlite:///{database}")
    await store.open()
    await write(store, 0, 50)
    writing = asyncio.create_task(write(store, 50, 300))
    await asyncio.to_thread(make, database, copy)
    with pytest.raises(BackupError, match="running"):
        await asyncio.to_thread(restore, database, copy)
    await writing
    await store.close()
    assert 50 <= count(copy) <= 300

    kept = count(copy)
    restore(database, copy)
    assert count(database) == kept
    assert count(tmp_path / "wxbot.db.before-restore") == 300
    store = Store(f"sqlite:///{database}")
    await store.open()
    await write(store, 1000, 1001)
    await store.close()


async def test_restore_is_refused_while_the_bot_runs(tmp_path: Path) -> None:
    database, copy = tmp_path / "wxbot.db", tmp_path / "copy.db"
    store = Store(f"sqlite:///{database}")
    await store.open()
    await store.close()
    make(database, copy)
    claim = FileLock(database)
    with pytest.raises(BackupError, match="running"):
        restore(database, copy)
    claim.close()
    restore(database, copy)
    FileLock(database).close()


def test_invalid_backup_is_rejected(tmp_path: Path) -> None:
    database = tmp_path / "wxbot.db"
    with pytest.raises(BackupError, match="file not found"):
        make(database, tmp_path / "copy.db")
    with pytest.raises(BackupError, match="file not found"):
        restore(database, tmp_path / "copy.db")
    (tmp_path / "text.db").write_text("not a database at all, whatever it is called")
    with pytest.raises(BackupError):
        restore(database, tmp_path / "text.db")
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(BackupError, match="not a complete wxbot database"):
        restore(database, tmp_path / "other.db")
    assert not database.exists()


def test_command_reports_errors(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.backup", "--config", str(tmp_path / "none.yaml"), "make", "x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "none.yaml" in done.stderr


async def test_target_with_a_trailing_slash_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(f"sqlite:///{tmp_path}/wxbot.db")
    await store.open()
    await store.close()
    (tmp_path / "config.yaml").write_text(f"database: sqlite:///{tmp_path}/wxbot.db")
    folder = tmp_path / "backups" / "wxbot"
    monkeypatch.setattr(sys, "argv", ["backup", "make", "--config", f"{tmp_path}/config.yaml", f"{folder}/"])
    assert backup.main() == 0
    assert [path.suffix for path in folder.iterdir()] == [".db"]
