"""Copies of the SQLite file: made while the bot runs, put back while it does not.

python -m tools.backup --config config.yaml make FILE
python -m tools.backup --config config.yaml restore FILE
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from config import ConfigError, load
from models.instance_lock import DatabaseInUse, FileLock

PAGES = 200  # copied at once; the bot writes in between


class BackupError(Exception):
    """The copy was not made or not put back; the message says why."""


def make(database: Path, copy: Path) -> None:
    """Copy the database, as it stands at one moment, to a file that is checked before it gets its name."""
    if not database.exists():
        raise BackupError(f"{database}: there is no database")
    unfinished = copy.with_name(copy.name + ".part")
    unfinished.unlink(missing_ok=True)
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as source, sqlite3.connect(unfinished) as target:
        source.backup(target, pages=PAGES, sleep=0.01)
        target.execute("PRAGMA journal_mode=DELETE")
    source.close()
    target.close()
    check(unfinished)
    unfinished.replace(copy)


def restore(database: Path, copy: Path) -> None:
    """Put a copy in the database's place; the one that was there stays beside it as *.before-restore."""
    if not copy.exists():
        raise BackupError(f"{copy}: there is no such file")
    check(copy)
    try:
        claim = FileLock(database)  # no bot can start in the middle of it
    except DatabaseInUse:
        raise BackupError(f"{database}: the bot is running; stop it first") from None
    with closing(claim):
        if database.exists():
            _must_be_idle(database)
            for suffix in ("-wal", "-shm"):
                Path(f"{database}{suffix}").unlink(missing_ok=True)
            database.replace(f"{database}.before-restore")
        with sqlite3.connect(copy) as source, sqlite3.connect(database) as target:
            source.backup(target)
        source.close()
        target.close()


def check(copy: Path) -> None:
    """BackupError unless the file is a whole database of wxbot."""
    connection = sqlite3.connect(f"file:{copy}?mode=ro", uri=True)
    try:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{copy}: {error}") from None
    finally:
        connection.close()
    if verdict != "ok" or known is None:
        raise BackupError(f"{copy}: this is no whole database of wxbot")


def _must_be_idle(database: Path) -> None:
    """Only with nobody else in it can the log be folded into the file and the file be moved."""
    connection = sqlite3.connect(database, timeout=0, isolation_level=None)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("ROLLBACK")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError:
        raise BackupError(f"{database}: the bot is running; stop it first") from None
    finally:
        connection.close()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.backup", description=__doc__)
    parser.add_argument("--config", default="config.yaml")
    parser.add_argument("action", choices=["make", "restore"])
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    try:
        database = load(arguments.config).database_file
        if database is None:
            raise BackupError("the database is PostgreSQL: use pg_dump and pg_restore")
        if arguments.action == "make":
            make(database, arguments.file)
        else:
            restore(database, arguments.file)
    except (BackupError, ConfigError, sqlite3.Error, OSError) as error:
        print(f"backup: {error}", file=sys.stderr)
        return 1
    print(f"backup made: {arguments.file}" if arguments.action == "make" else f"restored from {arguments.file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
