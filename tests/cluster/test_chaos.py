"""Processes that are killed, frozen, cut off and restarted under load: accepted work is done exactly once.

CHAOS_CLUSTER_KILLS, _FREEZES, _CUTS, _ACCOUNTS, _MEMBERS and _RATE (messages per second) set the size,
CHAOS_CLUSTER_LIMIT the seconds after which lost accounts must be served again, CHAOS_CLUSTER_RESULTS a file to which
the results are appended. CHAOS_SEED repeats the choices, not the timing. `make chaos-cluster` runs the long form.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from event_loop import run
from tests.cluster.chaos_cluster import ChaosCluster
from tests.cluster.failures import Failures
from tests.cluster.load import ClusterLoad
from tests.cluster.service_times import summary
from tests.cluster.verification import Comparison, compare

KILLS = int(os.environ.get("CHAOS_CLUSTER_KILLS", "2"))
FREEZES = int(os.environ.get("CHAOS_CLUSTER_FREEZES", "1"))
CUTS = int(os.environ.get("CHAOS_CLUSTER_CUTS", "2"))
ACCOUNTS = int(os.environ.get("CHAOS_CLUSTER_ACCOUNTS", "8"))
MEMBERS = int(os.environ.get("CHAOS_CLUSTER_MEMBERS", "3"))
PER_SECOND = float(os.environ.get("CHAOS_CLUSTER_RATE", "20"))
IS_LONG = "CHAOS_CLUSTER_KILLS" in os.environ
# Seconds until the accounts of a lost process are served again. A machine that runs other tests, too, may be slow.
LIMIT = float(os.environ.get("CHAOS_CLUSTER_LIMIT", "10" if IS_LONG else "90"))
SEED = int(os.environ.get("CHAOS_SEED", "0"))
RESULTS = os.environ.get("CHAOS_CLUSTER_RESULTS", "")
KILL_INTERVAL = 4.5 if IS_LONG else 1.0  # seconds
FREEZE_SECONDS = (3.0, 60.0) if IS_LONG else (7.0, 8.0)
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("database", ["postgres"], indirect=True),
    pytest.mark.timeout(600 + 60 * (KILLS + FREEZES + CUTS)),
]


@asynccontextmanager
async def under_load(env: ChaosCluster, seed: int) -> AsyncIterator[Failures]:
    """Run failures under load. Afterwards wait until all work is done, print what was measured, and check it."""
    async with env:
        load = ClusterLoad(env.sandbox.world, env.accounts, env.members, PER_SECOND)
        load.start()
        failures, cpu = Failures(env, seed), env.cpu_usage()
        yield failures
        await failures.over()
        await env.times.settled()
        used = str(cpu)
        await load.stop()
        await env.wait_idle()
        result = await asyncio.to_thread(compare, env.database, env.sandbox.world, env.accounts, load.broadcasts)
        report(env, load, failures, result, used)
        check(result, env, load, failures.counts.total(), failures.cut_accounts)
        slow = [str(outage) for outage in env.times.ended if outage.seconds > LIMIT]
        assert slow == []


def report(env: ChaosCluster, load: ClusterLoad, failures: Failures, result: Comparison, used: str) -> None:
    """Print what was measured, and append it to a file if one is set."""
    counts = ", ".join(f"{count} {kind}" for kind, count in failures.counts.items())
    text = (
        f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {len(env.members)} processes, {len(env.accounts)} accounts: "
        f"{counts}\n"
        f"{load.said} said, {result.stored} events stored, {len(load.accepted)} promised by REST, {len(load.groups)} "
        f"groups, {len(load.broadcasts)} broadcasts; answers {dict(sorted(load.statuses.items()))}\n"
        f"not sent {len(result.not_sent) + len(result.not_answered)}, events not acted on {len(result.not_acted_on)}, "
        f"broadcasts twice {len(result.broadcast_twice)}, replies twice {result.doubles} (at most "
        f"{result.most_doubles} times), groups twice {len(result.duplicates)}, "
        f"out of order {len(result.out_of_order)}, "
        f"calls of an earlier epoch {len(env.stale)}\n"
        f"{summary(env.times.ended)}\n{used}\n"
    )
    print(f"\n{text}")  # noqa: T201
    if RESULTS:
        with Path(RESULTS).open("a") as file:
            file.write(f"{text}\n")


def check(
    result: Comparison, env: ChaosCluster, load: ClusterLoad, failures: int, without_gateway: Collection[str]
) -> None:
    """Check the invariants. `without_gateway`: accounts whose gateway was cut off."""
    world = env.sandbox.world
    lost_gateways = {world.accounts.person(account).id for account in without_gateway}
    assert result.stored > 50, "the load was too small to prove anything"
    assert result.not_acted_on == []
    assert result.not_answered == []
    assert result.not_sent == []
    # Messages whose payload could not be read for more than a second do not hold up later ones.
    assert [line for line in result.out_of_order if line.split()[0] not in lost_gateways] == []
    assert result.duplicates == []
    assert result.broadcast_twice == []
    assert env.stale == [], "a process called with an epoch that was over"
    said = {(m.sender, m.text) for m in world.state.messages.values()}
    lost = [(a, text) for a, text in load.accepted if (world.accounts.person(a).id, text) not in said]
    assert lost == [], "messages that a process has accepted"
    groups = [room for room in world.state.rooms.values() if "的群" in room.topic]
    assert len(groups) == len(load.groups)
    assert result.most_doubles <= 1 + failures


# The tests run on the event loop of the product: gateways, load and proxies take most of this process's CPU.


def test_kill_9_and_rolling_restarts(tmp_path: Path, database: str) -> None:
    async def test() -> None:
        env = ChaosCluster(tmp_path, database, ACCOUNTS, MEMBERS)
        async with under_load(env, SEED) as failures:
            await failures.kill(KILLS, KILL_INTERVAL)
            await env.times.settled()
            await failures.restart_in_turn(MEMBERS)

    run(test())


def test_frozen_processes_behind_relays(tmp_path: Path, database: str) -> None:
    async def test() -> None:
        env = ChaosCluster(tmp_path, database, ACCOUNTS, MEMBERS, relayed=True)
        async with under_load(env, SEED + 1) as failures:
            await failures.freeze(FREEZES, 2.0, FREEZE_SECONDS, max(1, MEMBERS - 2))
            await failures.over()
            await failures.kill(max(1, FREEZES // 5), KILL_INTERVAL)
        said = {m.text for m in env.sandbox.world.state.messages.values()}
        questions = [text for text in said if text.startswith("问")]
        assert [text for text in questions if f"答{text[1:]}" not in said] == [], "relays keep what is said"

    run(test())


@pytest.mark.skipif("CHAOS_CLUSTER_CUTS" not in os.environ, reason="takes minutes: make chaos-cluster")
def test_cut_connections_postgres_restart_and_wrong_clock(tmp_path: Path, database: str) -> None:
    """The clock of the first process is an hour ahead, where libfaketime is installed."""

    async def test() -> None:
        env = ChaosCluster(tmp_path, database, ACCOUNTS, MEMBERS, proxied=True)
        async with under_load(env, SEED + 2) as failures:
            await failures.cut(CUTS, 8.0)
            await failures.over()
            await env.times.settled()
            await failures.restart_postgres(max(1, CUTS // 10), 2.0)

    run(test())
