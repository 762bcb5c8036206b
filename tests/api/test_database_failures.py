"""The database file is locked, deleted or linked: callers get an error in time, and no loss goes unnoticed."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from models import sqlite_settings
from models.instance_lock import DatabaseInUse, FileLock
from tests.api.conftest import ApiServer, StartServer

MESSAGE = {"assistant": "weimi1001", "to": "宋公明", "text": "你好"}


def database_path(server: ApiServer) -> Path:
    return Path(server.container.store.url.database or "")


async def test_locked_database_returns_5001(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2 * sqlite_settings.BUSY_MS < 10_000, "a caller waits at most twice as long"
    monkeypatch.setattr(sqlite_settings, "BUSY_MS", 300)
    server = await start_server()
    with closing(sqlite3.connect(database_path(server), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        calls = [server.call("POST", "/wxbot/message", json={**MESSAGE, "text": f"{n}"}) for n in range(8)]
        answers = await asyncio.gather(*calls)
        for status, body, headers in answers:
            assert (status, body["error"]["code"]) == (503, 5001)
            assert int(headers["Retry-After"]) > 0
        other.execute("ROLLBACK")
    assert (await server.call("POST", "/wxbot/message", json=MESSAGE))[0] == 202


@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_missing_database_file_is_reported(server: ApiServer, how: str) -> None:
    path = database_path(server)
    path.unlink()
    if how == "replaced":
        path.write_bytes(b"")
    status, body, _ = await server.call("GET", "/readyz")
    assert (status, body["database"]) == (503, "down")
    assert (await server.call("POST", "/wxbot/message", json=MESSAGE))[0] == 503, "it would be lost"


async def test_hard_linked_database_is_locked_once(start_server: StartServer, tmp_path: Path) -> None:
    server = await start_server()
    other = tmp_path / "other.db"
    other.hardlink_to(database_path(server))
    with pytest.raises(DatabaseInUse, match="hard link"):
        FileLock(other)
    other.unlink()
    FileLock(database_path(server)).close()
