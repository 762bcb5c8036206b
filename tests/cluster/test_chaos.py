"""Processes that are killed, frozen and restarted under load: accepted work is done exactly once.

CHAOS_CLUSTER_KILLS, _FREEZES, _CUTS, _ACCOUNTS and _MEMBERS set the numbers (`make chaos-cluster`);
CHAOS_SEED repeats the
choices, not the timing.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.cluster.chaos_cluster import ChaosCluster
from tests.cluster.load import ClusterLoad
from tests.cluster.processes import Member, percentile
from tests.cluster.verification import Comparison, compare
from tests.databases import restart_postgres

KILLS = int(os.environ.get("CHAOS_CLUSTER_KILLS", "2"))
FREEZES = int(os.environ.get("CHAOS_CLUSTER_FREEZES", "1"))
ACCOUNTS = int(os.environ.get("CHAOS_CLUSTER_ACCOUNTS", "8"))
MEMBERS = int(os.environ.get("CHAOS_CLUSTER_MEMBERS", "3"))
CUTS = int(os.environ.get("CHAOS_CLUSTER_CUTS", "2"))
# Seconds until the accounts of a lost process are served again. A machine that runs other tests, too, may be slow.
LIMIT = 10 if "CHAOS_CLUSTER_KILLS" in os.environ else 90
PER_SECOND = float(os.environ.get("CHAOS_CLUSTER_RATE", "20"))
SEED = int(os.environ.get("CHAOS_SEED", "0"))
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("database", ["postgres"], indirect=True),
    pytest.mark.timeout(600 + 60 * (KILLS + FREEZES + CUTS)),
]


def check(
    result: Comparison, env: ChaosCluster, load: ClusterLoad, isolate_member: int, without_gateway: Collection[str] = ()
) -> None:
    """Check the invariants. `without_gateway`: accounts whose gateway was cut off."""
    lost_gateways = {env.sandbox.world.accounts.person(account).id for account in without_gateway}
    assert result.stored > 50, "the load was too small to prove anything"
    assert result.not_acted_on == []
    assert result.not_answered == []
    assert result.not_sent == []
    # Messages whose payload could not be read for more than a second do not hold up later ones.
    assert [one for one in result.out_of_order if one.split()[0] not in lost_gateways] == []
    assert result.twins == []
    assert result.broadcast_twice == []
    assert env.stale == [], "a process called with an epoch that was over"
    world = env.sandbox.world
    said = {(m.sender, m.text) for m in world.state.messages.values()}
    lost = [(a, words) for a, words in load.accepted if (world.accounts.person(a).id, words) not in said]
    assert lost == [], "messages that a process has accepted"
    groups = [room for room in world.state.rooms.values() if "的群" in room.topic]
    assert len(groups) == len(load.groups)
    assert result.most_doubles <= 1 + isolate_member


async def wait_until_idle(env: ChaosCluster, load: ClusterLoad) -> Comparison:
    """Restart everything and wait until all work is done."""
    for member in env.members:
        if member.process is None:
            await member.start()
    await env.all_up()
    await env.all_served(60)
    await load.stop()
    await env.wait_idle()
    return await asyncio.to_thread(compare, env.database, env.sandbox.world, env.accounts, load.broadcasts)


async def isolate_member(env: ChaosCluster, number: int, *, freeze: bool) -> list[float]:
    """Cut or freeze a process's database connection; return after how long others served its accounts."""
    member, proxy = env.members[number], env.to_database[number]
    accounts = await env.held_by(member)
    began, member.cut_off = time.monotonic(), True
    if freeze:
        proxy.freeze()
    else:
        proxy.cut()
    took = await env.until_taken(accounts, began, LIMIT + 20)
    proxy.restore()
    member.cut_off = False
    return took


async def fail_member(env: ChaosCluster, member: Member, freeze: float = 0.0) -> list[float]:
    """Kill a process, or freeze it for some seconds; return after how long each of its accounts was served again."""
    accounts = await env.held_by(member)
    began = time.monotonic()
    if freeze:
        member.freeze()
    else:
        await member.kill()
    took = await env.until_taken(accounts, began, LIMIT + 20)
    if freeze:
        await asyncio.sleep(max(0.0, freeze - (time.monotonic() - began)))
        member.thaw()
    return took


def print_measurements(what: str, took: list[float], load: ClusterLoad, result: Comparison) -> None:
    """Print what was measured."""
    figures = " / ".join(f"{percentile(took, part):.2f}" for part in (0.5, 0.99, 1.0)) if took else "-"
    print(  # noqa: T201
        f"\n{what}: {load.said} said, {result.stored} events stored, {len(load.accepted)} promised by REST, "
        f"{len(load.groups)} groups, {len(load.broadcasts)} broadcasts, {result.doubles} doubles; served again after "
        f"p50/p99/max {figures} s ({len(took)} accounts moved); answers {dict(sorted(load.statuses.items()))}"
    )


async def test_kill_9_and_rolling_restarts(tmp_path: Path, database: str) -> None:
    choice = random.Random(SEED)
    async with ChaosCluster(tmp_path, database, ACCOUNTS, MEMBERS) as env:
        load = ClusterLoad(env.sandbox.world, env.accounts, env.members, PER_SECOND)
        load.start()
        took: list[float] = []
        for _ in range(KILLS):
            await asyncio.sleep(choice.uniform(0.5, 3.0))
            victim = choice.choice([member for member in env.members if member.is_up])
            took += await fail_member(env, victim)
            await victim.start()
            await env.all_up()  # or nobody is left when the next ones are killed
            await env.all_served(60)
        for member in env.members:  # an upgrade: one after the other
            code, seconds = await member.terminate()
            assert code == 0, f"exit {code} after {seconds:.1f} s\n{member.log()[-2000:]}"
            await member.start()
            await env.all_up()
            await env.all_served(60)
        result = await wait_until_idle(env, load)
        print_measurements(f"{KILLS} kill -9 and {MEMBERS} restarts", took, load, result)
        check(result, env, load, KILLS)
        assert max(took, default=0) <= LIMIT


async def test_frozen_processes_behind_relays(tmp_path: Path, database: str) -> None:
    choice = random.Random(SEED + 1)
    async with ChaosCluster(tmp_path, database, ACCOUNTS, MEMBERS, relayed=True) as env:
        load = ClusterLoad(env.sandbox.world, env.accounts, env.members, PER_SECOND)
        load.start()
        took: list[float] = []
        for number in range(FREEZES + KILLS // 2):
            await asyncio.sleep(choice.uniform(0.5, 3.0))
            victim = choice.choice([member for member in env.members if member.is_up])
            if number < FREEZES:
                took += await fail_member(env, victim, choice.uniform(7, 15))
            else:
                took += await fail_member(env, victim)
                await victim.start()
            await env.all_up()  # or nobody is left when the next ones are killed
            await env.all_served(60)
        result = await wait_until_idle(env, load)
        print_measurements(f"{FREEZES} SIGSTOP and {KILLS // 2} kill -9 behind relays", took, load, result)
        check(result, env, load, KILLS + FREEZES)
        answered = {m.text for m in env.sandbox.world.state.messages.values() if m.text.startswith("答")}
        assert [n for n in range(1, load.said + 1) if f"答{n}" not in answered] == [], "relays keep what is said"
        assert max(took, default=0) <= LIMIT


@pytest.mark.skipif("CHAOS_CLUSTER_CUTS" not in os.environ, reason="takes minutes: make chaos-cluster")
async def test_cut_connections_postgres_restart_and_wrong_clock(tmp_path: Path, database: str) -> None:
    """The clock of the first process is an hour ahead, where libfaketime is installed."""
    choice = random.Random(SEED + 2)
    async with ChaosCluster(tmp_path, database, ACCOUNTS, MEMBERS, proxied=True) as env:
        load = ClusterLoad(env.sandbox.world, env.accounts, env.members, PER_SECOND)
        load.start()
        took: list[float] = []
        cut: set[str] = set()
        for number in range(CUTS):
            await asyncio.sleep(choice.uniform(0.5, 2.0))
            account = choice.choice(env.accounts)
            cut.add(account)
            gateway = env.to_gateway[account]
            gateway.cut()
            took += await isolate_member(env, choice.randrange(MEMBERS), freeze=number % 2 == 1)
            gateway.restore()
            await env.all_up()
            await env.all_served(60)
        for _ in range(max(1, CUTS // 10)):
            await asyncio.sleep(choice.uniform(0.5, 2.0))
            await asyncio.to_thread(restart_postgres, database)
            await env.all_served(60)
        result = await wait_until_idle(env, load)
        print_measurements(
            f"{CUTS} cut connections and {max(1, CUTS // 10)} restarts of PostgreSQL", took, load, result
        )
        check(result, env, load, 2 * CUTS + 1, cut)
        assert max(took, default=0) <= LIMIT
