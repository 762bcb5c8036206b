"""The database file is locked, deleted or linked: callers are told in time, and nothing is lost in silence."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from models import db
from models.instance_lock import DatabaseInUse, FileLock
from tests.api.conftest import AccessControl, OpenDoor

MESSAGE = {"assistant": "weimi1001", "to": "宋公明", "text": "你好"}


def database_of(door: AccessControl) -> Path:
    return Path(door.container.store.url.database or "")


async def test_locked_database_returns_5001(opened: OpenDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2 * db.BUSY_MS < 10_000, "a caller waits at most twice as long"
    monkeypatch.setattr(db, "BUSY_MS", 300)
    door = await opened()
    with closing(sqlite3.connect(database_of(door), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        calls = [door.call("POST", "/wxbot/message", json={**MESSAGE, "text": f"{n}"}) for n in range(8)]
        answers = await asyncio.gather(*calls)
        for status, body, headers in answers:
            assert (status, body["error"]["code"]) == (503, 5001)
            assert int(headers["Retry-After"]) > 0
        other.execute("ROLLBACK")
    assert (await door.call("POST", "/wxbot/message", json=MESSAGE))[0] == 202


@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_missing_database_file_is_reported(door: AccessControl, how: str) -> None:
    path = database_of(door)
    path.unlink()
    if how == "replaced":
        path.write_bytes(b"")
    status, body, _ = await door.call("GET", "/readyz")
    assert (status, body["database"]) == (503, "down")
    assert (await door.call("POST", "/wxbot/message", json=MESSAGE))[0] == 503, "it would be lost"


async def test_hard_linked_database_is_locked_once(opened: OpenDoor, tmp_path: Path) -> None:
    door = await opened()
    other = tmp_path / "other.db"
    other.hardlink_to(database_of(door))
    with pytest.raises(DatabaseInUse, match="hard link"):
        FileLock(other)
    other.unlink()
    FileLock(database_of(door)).close()
