"""The rows of members and accounts as their process sees them, its notifications, and its connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from models.db import Store
from services.cluster import leases as leases_module
from services.cluster.leases import CHANNEL, Leases
from services.work.ownership import GLOBAL
from tests.waiting import SECONDS, until

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]
NAME = "leases"  # of their connections, at PostgreSQL


def made(database: str, number: int = 1) -> Leases:
    named = f"{database}{'&' if '?' in database else '?'}application_name={NAME}"
    return Leases(named, f"m{number}", f"http://10.0.0.{number}:8080", 500, "1")


class Watcher:
    """Another connection to the database, which listens."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        return await (await self._connection.execute(query)).fetchall()

    async def execute(self, statement: str) -> None:
        await self._connection.execute(statement)

    async def sessions(self, state: str = "true") -> list[int]:
        """The sessions of the leases; other tests may have some in other databases of the server."""
        mine = f"application_name = '{NAME}' AND datname = current_database()"
        return [pid for (pid,) in await self.rows(f"SELECT pid FROM pg_stat_activity WHERE {mine} AND {state}")]

    async def waits(self) -> bool:
        return bool(await self.sessions("wait_event_type = 'Lock'"))

    async def next(self) -> str:
        async with asyncio.timeout(SECONDS):
            async for notify in self._connection.notifies(stop_after=1):
                return notify.payload
        raise AssertionError("not notified")


@pytest.fixture
async def watcher(store: Store, database: str) -> AsyncIterator[Watcher]:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute(f"LISTEN {CHANNEL}")
        yield Watcher(connection)


@pytest.fixture
async def first(store: Store, database: str) -> AsyncIterator[Leases]:
    leases = made(database)
    yield leases
    leases.close()


@pytest.fixture
async def second(store: Store, database: str) -> AsyncIterator[Leases]:
    leases = made(database, 2)
    yield leases
    leases.close()


# ---- members and accounts ----


async def test_accounts_are_free_at_once_when_a_member_leaves(first: Leases, second: Leases, watcher: Watcher) -> None:
    first.join()
    second.join()
    first.register_accounts(["a", "b"])
    first.claim(["a", "b"], 2)
    assert second.view(["a", "b"]).orphans == 0
    first.leave()
    assert json.loads(await watcher.next()) == {"from": "m1", "of": second.installation, "free": 1}
    assert [member.id for member in second.view([]).members] == ["m2"]
    assert set(second.claim(["a", "b"], 1)) == {"a"}


async def test_news_are_sent_as_short_as_possible(first: Leases, watcher: Watcher) -> None:
    """PostgreSQL limits a notification to 8000 bytes."""
    first.notify({"changes": ["梁山"]})
    assert await watcher.next() == '{"from":"m1","changes":["梁山"]}'


async def test_first_member_makes_the_lease_of_single_jobs(first: Leases, second: Leases) -> None:
    first.join()
    view = first.view([])
    assert (view.jobs_free, view.accounts, view.orphans) == (True, 0, 0)
    assert list(first.claim([GLOBAL], 1)) == [GLOBAL]
    second.join()
    assert not second.view([]).jobs_free
    assert second.claim([GLOBAL], 1) == {}


async def test_draining_member_takes_no_share(first: Leases, second: Leases) -> None:
    first.join()
    second.join()
    first.register_accounts(["a", "b"])
    first.drain()
    assert {member.id: member.takes_accounts for member in second.view([]).members} == {"m1": False, "m2": True}
    assert second.view(["a", "b"]).fair_share("m2") == 2
    first.begin()
    assert second.view(["a", "b"]).fair_share("m2") == 1


async def test_heartbeat_reads_the_clock_of_the_server(first: Leases, watcher: Watcher) -> None:
    first.join()
    ((before,),) = await watcher.rows("SELECT extract(epoch FROM clock_timestamp())")
    first.renew()
    ((after,),) = await watcher.rows("SELECT extract(epoch FROM clock_timestamp())")
    assert float(before) <= first.server_time <= float(after)


# ---- the connection ----


async def test_options_of_the_url_choose_the_schema(store: Store, database: str, watcher: Watcher) -> None:
    await watcher.execute("CREATE SCHEMA shop")
    for table in ("member", "accountlease", "setting"):
        await watcher.execute(f"CREATE TABLE shop.{table} (LIKE public.{table} INCLUDING ALL)")
    leases = made(f"{database}{'&' if '?' in database else '?'}options=-csearch_path%3Dshop")
    leases.join()
    leases.close()
    assert await watcher.rows("SELECT id FROM shop.member") == [("m1",)]
    assert await watcher.rows("SELECT id FROM public.member") == []


async def test_one_connection_is_used_until_it_is_closed(first: Leases, watcher: Watcher) -> None:
    first.join()
    (session,) = await watcher.sessions()
    first.renew()
    assert await watcher.sessions() == [session]
    first.close()
    await until(lambda: ended(watcher), "the session has ended")
    first.renew()
    assert len(await watcher.sessions()) == 1, "a closed one connects again"


async def test_failed_call_is_followed_by_a_new_connection(first: Leases, watcher: Watcher) -> None:
    first.join()
    (session,) = await watcher.sessions()
    with pytest.raises(IntegrityError) as failed:
        first.join()
    assert "10.0.0.1" not in str(failed.value), "parameters are not logged"
    await until(lambda: ended(watcher), "the session has ended")
    first.renew()
    assert await watcher.sessions() not in ([], [session])


async def test_connection_ended_by_the_server_is_replaced(first: Leases, watcher: Watcher) -> None:
    first.join()
    (session,) = await watcher.sessions()
    await watcher.rows(f"SELECT pg_terminate_backend({session}, 10000)")
    with pytest.raises(OperationalError):
        first.renew()
    first.renew()
    assert await watcher.sessions() not in ([], [session])


async def ended(watcher: Watcher) -> bool:
    return not await watcher.sessions()


@pytest.fixture
async def locked(first: Leases, database: str) -> AsyncIterator[None]:
    """A transaction of somebody else holds the member's row."""
    first.join()
    async with await psycopg.AsyncConnection.connect(database) as connection:
        await connection.execute("SELECT FROM member FOR UPDATE")
        yield
        await connection.rollback()


@pytest.mark.usefixtures("locked")
async def test_waiting_call_is_broken_off(database: str, watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases_module, "OPTIONS", "")
    waiting = made(database)
    beating = asyncio.create_task(asyncio.to_thread(waiting.renew))
    await until(watcher.waits, "the heartbeat waits for the lock")
    waiting.abort()
    async with asyncio.timeout(SECONDS):
        with pytest.raises(OperationalError):
            await beating
    assert waiting.versions() == {}, "the next call has a new connection"
    waiting.close()


@pytest.mark.usefixtures("locked")
async def test_statement_is_cancelled_before_the_lease_ends(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases_module, "OPTIONS", leases_module.OPTIONS.replace("3000", "100"))
    waiting = made(database)
    with pytest.raises(OperationalError, match="statement timeout"):
        await asyncio.wait_for(asyncio.to_thread(waiting.renew), SECONDS)
    waiting.close()
