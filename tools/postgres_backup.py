"""Copies of a PostgreSQL database, by pg_dump and pg_restore: made while the bot runs, put back into an empty one."""

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

CLIENT: Final = "install PostgreSQL's client programs (Debian: postgresql-client), as new as the server"


def make(database: str, copy: Path) -> None:
    """Copy the database, as it stands at one moment, to a file that is checked before it gets its name."""
    url, unfinished = parse(database), copy.with_name(copy.name + ".part")
    unfinished.unlink(missing_ok=True)
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={unfinished}", _name(url), url=url)
    check(unfinished)
    unfinished.replace(copy)


def restore(database: str, copy: Path) -> None:
    """Fill an empty database with a copy, all of it or nothing."""
    if not copy.exists():
        raise BackupError(f"{copy}: there is no such file")
    check(copy)
    url = parse(database)
    if _has_tables(url):
        raise BackupError(f"the database {url.database} is not empty; make a new one and name it in the config")
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    _run("pg_restore", *options, _name(url), str(copy), url=url)


def check(copy: Path) -> None:
    """BackupError unless the file is a whole copy of wxbot's database."""
    listed = _run("pg_restore", "--list", str(copy))
    if "TABLE DATA public alembic_version" not in listed:
        raise BackupError(f"{copy}: this is no copy of a database of wxbot")
    _run("pg_restore", "--file=/dev/null", str(copy))  # reads all of it


def _has_tables(url: URL) -> bool:
    engine = create_engine(url, poolclass=NullPool)
    try:
        return bool(inspect(engine).get_table_names())
    except SQLAlchemyError as error:
        raise BackupError(f"the database: {' '.join(str(error.__cause__ or error).split())}") from None


def _name(url: URL) -> str:
    """The address without its password, which other users of the machine could read in the list of processes."""
    plain = url.set(drivername="postgresql")._replace(password=None)  # `set` takes None for "as it is"
    return f"--dbname={plain.render_as_string(hide_password=False)}"


def _run(program: str, *arguments: str, url: URL | None = None) -> str:
    environment = dict(os.environ)
    if url is not None and url.password:
        environment["PGPASSWORD"] = str(url.password)
    try:
        done = subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError:
        raise BackupError(f"{program} is not there: {CLIENT}") from None
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise BackupError(f"{program}: {said}{f' ({CLIENT})' if 'version mismatch' in said else ''}")
    return done.stdout
