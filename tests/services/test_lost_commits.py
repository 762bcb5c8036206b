"""Loss of the PostgreSQL connection during a commit: every write is executed exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from models import db
from models.db import Store, after_commit
from models.durable import Setting
from tests.waiting import SECONDS, until

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]
# the COMMIT does not arrive; the loss is not noticed by the server; it arrives, but not its response
ENDS = ("before", "frozen", "after")


class Proxy:
    """A proxy for PostgreSQL. When armed, it ends every connection at its next commit, and accepts no new one until
    opened.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._clients: set[asyncio.Task[None]] = set()
        self._frozen: list[asyncio.StreamWriter] = []
        self.how = ""
        self.is_open = True
        self.port = 0
        self.cut = 0
        self.refused = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        if not self.is_open:
            self.refused += 1
            writer.close()
            return
        answers, asks = await asyncio.open_unix_connection(self._target)
        back = asyncio.create_task(_pump(answers, writer))
        try:
            while data := await reader.read(65536):
                if self.how and b"COMMIT" in data:
                    self.cut += 1
                    self.is_open = False
                    back.cancel()
                    if self.how == "after":
                        asks.write(data)
                        await answers.read(1)
                    elif self.how == "frozen":
                        self._frozen.append(asks)  # the server's side stays connected
                    return
                asks.write(data)
        finally:
            writer.close()
            back.cancel()
            if asks not in self._frozen:
                asks.close()

    async def stop(self) -> None:
        for writer in self._frozen:
            writer.close()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@contextlib.asynccontextmanager
async def behind_proxy(database: str) -> AsyncIterator[tuple[Store, Proxy]]:
    url = make_url(database)
    proxy = Proxy(f"{url.query['host']}/.s.PGSQL.{url.port or 5432}")
    server = await proxy.start()
    store = Store(
        url.set(host="127.0.0.1", port=proxy.port, query={"connect_timeout": "2", "sslmode": "disable"})
        .render_as_string(hide_password=False)
    )  # fmt: skip
    await store.open()
    try:
        yield store, proxy
    finally:
        proxy.how, proxy.is_open = "", True
        await store.close()
        server.close()
        await proxy.stop()


def put(session: Session) -> None:
    """Insert another row each time it runs."""
    session.add(Setting(key=f"row-{uuid.uuid4()}", value=""))


def rows(session: Session) -> int:
    return len(session.exec(select(Setting).where(col(Setting.key).startswith("row-"))).all())


def recording_write(received: list[str], name: str) -> Callable[[Session], Any]:
    def write(session: Session) -> None:
        put(session)
        after_commit(session, lambda: received.append(name))

    return write


@pytest.mark.parametrize("end", ENDS)
async def test_every_write_is_executed_once(database: str, end: str) -> None:
    received: list[str] = []
    async with behind_proxy(database) as (store, proxy):
        await store.write(put)
        proxy.how = end
        lost = [store.write_soon(recording_write(received, f"lost {number}")) for number in range(3)]
        await until(lambda: proxy.cut, "the commit is cut off")
        for _ in range(2):
            with pytest.raises(DBAPIError):  # and not before or instead of earlier writes
                await store.write(recording_write(received, "away"))
        assert not any(future.done() and future.exception() is None for future in lost)
        proxy.how, proxy.is_open = "", True
        results = await asyncio.gather(*lost, return_exceptions=True)
        await store.write(recording_write(received, "later"))
        done = [name for name, result in zip(("lost 0", "lost 1", "lost 2"), results, strict=True) if result is None]
        assert "lost 0" in done
        assert received == [*done, "later"]
        assert await store.read(rows) == 1 + len(received)


@pytest.mark.parametrize("end", ENDS)
async def test_second_loss_is_survived(database: str, end: str) -> None:
    received: list[str] = []
    async with behind_proxy(database) as (store, proxy):
        proxy.how = end
        lost = store.write_soon(recording_write(received, "lost"))
        await until(lambda: proxy.cut, "the commit is cut off")
        proxy.is_open = True
        if end != "after":  # there the commit is found to be done
            await until(lambda: proxy.cut == 2, "and again")
        proxy.how, proxy.is_open = "", True
        await lost
        assert received == ["lost"]
        assert await store.read(rows) == 1


async def test_waiting_writes_fail_when_the_store_closes(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "RECHECK_INTERVAL", 60.0)
    async with behind_proxy(database) as (store, proxy):
        proxy.how = "after"
        lost = store.write_soon(put)
        await until(lambda: proxy.cut, "the commit is cut off")
        closing = asyncio.create_task(store.close())
        with pytest.raises(DBAPIError):
            await asyncio.wait_for(lost, SECONDS)
        await closing


async def test_unreachable_server_is_given_up_early(database: str) -> None:
    url = make_url(database).update_query_dict({"keepalives_idle": "7"})
    store = Store(url.render_as_string(hide_password=False))
    with store.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        said = driver.info.get_parameters()
    store.engine.dispose()
    assert (said["connect_timeout"], said["keepalives_interval"], said["tcp_user_timeout"]) == ("5", "5", "25000")
    assert said["keepalives_idle"] == "7", "what the address says goes first"
