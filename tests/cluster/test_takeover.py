"""Accounts of a process that was lost: given up in time, taken by others at once."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from bot import run
from models.db import Store
from services.cluster.leases import CHANNEL, Leases
from services.cluster.member import ClusterClock, ClusterMember, boot_time
from services.cluster.parts import ClusterParts
from tests.cluster.conftest import MakeCluster
from tests.ports import free_port
from tests.services.clock import Clock
from tests.waiting import SECONDS, until

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]


async def test_accounts_are_given_up_when_the_leases_run_out(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cluster.RETRY_SECONDS", 10 * SECONDS)
    env = await make_cluster(accounts=2, bots=1)
    cluster = env.bots[0].cluster
    assert cluster is not None
    assert set(env.accounts) <= cluster.serving.keys()
    heartbeats = cluster._tasks[0]
    heartbeats.cancel()
    await asyncio.wait({heartbeats})
    cluster._member._deadline = boot_time() + 0.3
    cluster._wake.set()
    await until(lambda: not cluster.serving, "the gateways are free for the next holder")
    assert not any(server.listening for server in env.sandbox.servers.values())


async def test_process_taken_for_dead_while_it_starts_starts_again(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    env, join = await make_cluster(accounts=1, bots=1), ClusterParts.join

    async def join_and_be_removed(parts: ClusterParts, store: Store) -> None:
        await join(parts, store)
        await parts.member.call(parts.leases.leave)

    monkeypatch.setattr(ClusterParts, "join", join_and_be_removed)
    assert await run(env.config(free_port())) is True
    await env.served()


async def test_member_stays_alive_until_it_has_started(make_cluster: MakeCluster) -> None:
    env = await make_cluster(accounts=1, bots=1)  # creates the tables
    leases = Leases(env.database, "m2", "http://10.0.0.1:8080", 10, "1")
    member = ClusterMember(leases, ClusterClock(Clock()), 10, 3.0)
    try:
        await member.join()
        joined = leases.server_time
        await until(lambda: leases.server_time > joined, "a heartbeat")
        running = asyncio.create_task(member.run(list, nothing))
        await until(lambda: member._starting is None, "the heartbeats are those of `run`")
        running.cancel()
    finally:
        await member.leave()
        await member.close()


async def nothing() -> None:
    """Do nothing on a change."""


async def test_accounts_of_a_silent_member_are_announced(database: str, make_cluster: MakeCluster) -> None:
    await make_cluster(accounts=1, bots=1)  # creates the tables
    leases = Leases(database, "m2", "http://10.0.0.1:8080", 10, "1")
    member = ClusterMember(leases, ClusterClock(Clock()), 10, 3600.0)
    lost = Leases(database, "lost", "http://10.0.0.2:8080", 10, "1")
    try:
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
            await member.call(leases.join)
            await member.call(lost.join)
            await connection.execute(f"LISTEN {CHANNEL}")
            await connection.execute("UPDATE member SET seen = 0 WHERE id = 'lost'")
            await member._remove_dead()
            async for notice in connection.notifies(timeout=SECONDS):  # the bot sends others
                if '"free":1' in notice.payload:
                    break
            else:
                pytest.fail("the free account was not announced")
    finally:
        await member.call(leases.leave)
        await member.call(lost.close)
        await member.close()
