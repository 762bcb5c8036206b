"""PostgreSQL stops responding: probes and metrics respond in time, and work continues afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, make_url, text

from tests.attack.target import started
from tests.databases import database, postgres
from tests.waiting import until

__all__ = ["database", "postgres"]
pytestmark = pytest.mark.postgres
SECONDS = 2.0  # within which monitoring expects an answer
SLOW_MACHINE = 4.0  # additional seconds; without their own timeouts the answers would take as long as the database


@contextmanager
def frozen(server: psutil.Process) -> Iterator[None]:
    """Suspend all processes of a PostgreSQL server while the block runs."""
    processes = [server, *server.children()]
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # the process of a connection that has just ended
            process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def server_of(url: str) -> psutil.Process:
    """Return the main process of the PostgreSQL server of a database."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        folder = Path(connection.execute(text("SHOW data_directory")).scalar_one())
    engine.dispose()
    return psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))


@pytest.mark.parametrize("database", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_probes_and_metrics_answer_while_postgresql_is_frozen(tmp_path: Path, database: str) -> None:
    async with started(tmp_path, database=database) as bot:
        with frozen(server_of(database)):
            for path, status in (("/readyz", 503), ("/metrics", 200), ("/healthz", 200), ("/metrics", 200)):
                began = time.monotonic()
                assert (await bot.call("GET", path))[0] == status
                assert time.monotonic() - began < SECONDS + SLOW_MACHINE, path

        async def is_ready() -> bool:
            return (await bot.call("GET", "/readyz"))[0] == 200

        await until(is_ready, lambda: "ready again")
        await bot.answers()
