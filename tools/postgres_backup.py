"""Backup and restore of a PostgreSQL database with pg_dump and pg_restore; a restore needs an empty database."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from sqlalchemy import URL, create_engine, inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from models.db import parse
from tools.backup_error import BackupError

CLIENT: Final = "install PostgreSQL's client programs (Debian: postgresql-client) of the server's version or newer"


def make(database: str, copy: Path) -> None:
    """Write a consistent copy of the database to a file, which gets its name after verification."""
    url, unfinished = parse(database), copy.with_name(copy.name + ".part")
    unfinished.unlink(missing_ok=True)
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={unfinished}", _name(url), url=url)
    check(unfinished)
    unfinished.replace(copy)


def restore(database: str, copy: Path) -> None:
    """Restore a copy into an empty database in one transaction."""
    if not copy.exists():
        raise BackupError(f"{copy}: file not found")
    check(copy)
    url = parse(database)
    if _has_tables(url):
        raise BackupError(f"the database {url.database} is not empty; create a new one and set it in the config")
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    _run("pg_restore", *options, _name(url), str(copy), url=url)


def check(copy: Path) -> None:
    """Raise BackupError unless the file is an intact copy of a wxbot database."""
    contents = _run("pg_restore", "--list", str(copy))
    if "TABLE DATA public alembic_version" not in contents:
        raise BackupError(f"{copy}: not a backup of a wxbot database")
    _run("pg_restore", "--file=/dev/null", str(copy))  # reads the whole file


def _has_tables(url: URL) -> bool:
    engine = create_engine(url, poolclass=NullPool)
    try:
        return bool(inspect(engine).get_table_names())
    except SQLAlchemyError as error:
        raise BackupError(f"the database: {' '.join(str(error.__cause__ or error).split())}") from None


def _name(url: URL) -> str:
    """Return the URL without its password, which other users could see in the process list."""
    public_url = url.set(drivername="postgresql")._replace(password=None)  # for `set`, None means unchanged
    return f"--dbname={public_url.render_as_string(hide_password=False)}"


def _run(program: str, *arguments: str, url: URL | None = None) -> str:
    environment = dict(os.environ)
    if url is not None and url.password:
        environment["PGPASSWORD"] = str(url.password)
    try:
        done = subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError:
        raise BackupError(f"{program} not found: {CLIENT}") from None
    if done.returncode:
        output = " ".join(done.stderr.split())
        raise BackupError(f"{program}: {output}{f' ({CLIENT})' if 'version mismatch' in output else ''}")
    return done.stdout
