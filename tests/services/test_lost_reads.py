"""Loss of the PostgreSQL connection during a read, of many writes, and a server that only reads."""

from __future__ import annotations

import asyncio
import threading

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session, select

from models import db
from models.db import Store, parse
from models.durable import Setting
from services.work import write_batcher
from services.work.write_batcher import WriteBatcher
from tests.services.test_lost_commits import behind_proxy, put
from tests.waiting import SECONDS, until

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]
SESSION_ID = text("SELECT pg_backend_pid()")


def end_session(database: str, session: Session) -> None:
    """Terminate a session on the server, as a restart of PostgreSQL does."""
    engine = create_engine(parse(database), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        pid = session.connection().execute(SESSION_ID).scalar_one()
        connection.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
    engine.dispose()


async def test_read_is_repeated_on_another_connection(database: str, store: Store) -> None:
    await store.write(lambda s: s.merge(Setting(key="kept", value="1")))
    attempts = 0

    def read(session: Session) -> list[str]:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            end_session(database, session)
        return list(session.exec(select(Setting.key)).all())

    assert await store.read(read) == ["kept"]
    assert attempts == 2


async def test_read_waits_for_a_restarting_server(database: str) -> None:
    async with behind_proxy(database) as (store, proxy):
        loop, attempts = asyncio.get_running_loop(), 0
        lost = asyncio.Event()

        def read(session: Session) -> list[str]:
            nonlocal attempts
            attempts += 1
            if attempts == 1:
                proxy.is_open = False
                end_session(database, session)
                loop.call_soon_threadsafe(lost.set)
            return list(session.exec(select(Setting.key)).all())

        reading = asyncio.create_task(store.read(read))
        await lost.wait()
        await until(lambda: proxy.refused, "it is tried again")
        proxy.is_open = True
        assert await reading == []
        assert attempts > 2


async def test_read_fails_when_the_server_stays_away(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "READ_RETRY_SECONDS", 0.2)
    async with behind_proxy(database) as (store, proxy):

        def read(session: Session) -> None:
            proxy.is_open = False
            end_session(database, session)
            session.exec(select(Setting.key))

        with pytest.raises(DBAPIError):
            await store.read(read)


async def test_unreachable_server_is_tried_once_for_all_writes_of_a_commit(database: str) -> None:
    """Each try may last as long as connect_timeout, and the process could not stop meanwhile."""
    async with behind_proxy(database) as (store, proxy):
        holds, goes_on = threading.Event(), threading.Event()

        def hold(_session: Session) -> None:
            holds.set()
            goes_on.wait(SECONDS)

        def lose(session: Session) -> None:
            proxy.is_open = False
            end_session(database, session)
            put(session)

        held = store.write_soon(hold)
        await asyncio.to_thread(holds.wait, SECONDS)
        writes = [store.write_soon(item) for item in (put, lose, *[put] * 20)]
        goes_on.set()
        results = await asyncio.gather(*writes, return_exceptions=True)
        await held
        assert [type(result) for result in results] == [OperationalError] * 22
        assert proxy.refused == 1


async def test_other_read_errors_are_not_repeated(store: Store) -> None:
    attempts = threading.Semaphore(1)  # a second attempt would not get it

    def read(session: Session) -> None:
        assert attempts.acquire(blocking=False)
        session.connection().execute(text("SELECT nothing"))

    with pytest.raises(DBAPIError, match="UndefinedColumn"):
        await store.read(read)


async def test_writes_wait_for_a_read_only_server(database: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A standby answers until it is promoted."""
    monkeypatch.setattr(write_batcher, "FIRST_WAIT", 0.05)
    name, failed = make_url(database).database, asyncio.Event()
    loop, lost = asyncio.get_running_loop(), list[str]()

    def write(session: Session, items: list[str]) -> None:
        try:
            session.add_all([Setting(key=item, value="1") for item in items])
            session.flush()
        except DBAPIError:
            loop.call_soon_threadsafe(failed.set)
            raise

    engine = create_engine(parse(database), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        store.engine.dispose()  # the setting holds for new sessions
        batcher = WriteBatcher[str](store, write, lost.append)
        batcher.put("kept")
        await asyncio.wait_for(failed.wait(), SECONDS)
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
    engine.dispose()
    await batcher.drain(SECONDS)
    assert lost == []
    assert await store.read(lambda s: s.get(Setting, "kept")) is not None
