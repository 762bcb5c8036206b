"""Backup and restore of the database; a backup can be made while the bot runs, a restore cannot.

python -m tools.backup make [--config config.yaml] [--keep N] FILE|FOLDER
python -m tools.backup restore [--config config.yaml] FILE
"""

from __future__ import annotations

import argparse
import re
import sqlite3
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

from config import Config, ConfigError, load
from file_modes import make_files_private
from models.instance_lock import DatabaseInUse, FileLock
from tools import postgres_backup
from tools.backup_error import BackupError

PAGES = 200  # pages copied at a time; the bot can write in between
NAMED = re.compile(r"wxbot-\d{8}-\d{6}\.(db|pgdump)")


def make(database: Path, copy: Path) -> None:
    """Write a consistent copy of the database to a file, which gets its name after verification."""
    if not database.exists():
        raise BackupError(f"{database}: file not found")
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
    """Replace the database by a copy; the old one is kept as *.before-restore."""
    if not copy.exists():
        raise BackupError(f"{copy}: file not found")
    check(copy)
    try:
        claim = FileLock(database)  # prevents the bot from starting during the restore
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
    """Raise BackupError unless the file is an intact wxbot database."""
    connection = sqlite3.connect(f"file:{copy}?mode=ro", uri=True)
    try:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        version = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{copy}: {error}") from None
    finally:
        connection.close()
    if verdict != "ok" or version is None:
        raise BackupError(f"{copy}: not a complete wxbot database")


def _must_be_idle(database: Path) -> None:
    """Raise BackupError if the database is in use; otherwise checkpoint the WAL, so that the file can be moved."""
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


def write_copy(config: Config, file: Path) -> None:
    """Back up the configured database to a file."""
    if config.database_file:
        make(config.database_file, file)
    else:
        postgres_backup.make(config.database, file)


def restore_copy(config: Config, file: Path) -> None:
    """Restore the configured database from a file."""
    if config.database_file:
        restore(config.database_file, file)
    else:
        postgres_backup.restore(config.database, file)


def backup_file(target: Path, database: str) -> Path:
    """Return the backup file; in a directory it is named by the time."""
    if not target.is_dir():
        return target
    suffix = "db" if database.startswith("sqlite") else "pgdump"
    return target / f"wxbot-{datetime.now():%Y%m%d-%H%M%S}.{suffix}"  # noqa: DTZ005 - local time of the operator


def keep_newest(folder: Path, number: int) -> None:
    """Delete all but the newest backups named by `backup_file`."""
    backups = sorted(path for path in folder.iterdir() if NAMED.fullmatch(path.name))
    for old in backups[: max(0, len(backups) - number)]:
        old.unlink()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.backup", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("action", choices=["make", "restore"])
    parser.add_argument("--config", default="config.yaml")
    parser.add_argument("--keep", type=int, metavar="N", help="keep only the newest N backups in the folder")
    parser.add_argument("file", help="the backup file, or a folder to write it to; a folder ends with / or exists")
    arguments = parser.parse_args()
    is_folder = arguments.action == "make" and arguments.file.endswith("/")
    arguments.file = Path(arguments.file)
    if is_folder:
        arguments.file.mkdir(parents=True, exist_ok=True)
    if arguments.keep is not None and (arguments.keep < 1 or not arguments.file.is_dir()):
        parser.error("--keep requires a number from 1 and a folder")
    return arguments


def main() -> int:
    """Run the command line and return the exit code."""
    arguments = _arguments()
    try:
        config = load(arguments.config)
        file = backup_file(arguments.file, config.database) if arguments.action == "make" else arguments.file
        if arguments.action == "make":
            write_copy(config, file)
        else:
            restore_copy(config, file)
        if arguments.keep is not None:
            keep_newest(arguments.file, arguments.keep)
    except (BackupError, ConfigError, sqlite3.Error, OSError) as error:
        print(f"backup: {error}", file=sys.stderr)
        return 1
    print(f"backup made: {file}" if arguments.action == "make" else f"restored from {file}")
    return 0


if __name__ == "__main__":
    make_files_private()
    sys.exit(main())
