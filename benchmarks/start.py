"""Time from process start to ready, with many contacts and groups: cold (empty database) and warm."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from statistics import median

from benchmarks.measured_processes import folder, gateway
from benchmarks.tables import table
from tests.bot_process import ROOT, BotProcess
from tests.official import OfficialGateway

CONTACTS, GROUPS, MEMBERS = 5000, 300, 30


async def run(rounds: int = 3) -> str:
    """Return the medians. The baseline reads all contacts and groups with a bare client and stores nothing."""
    times: dict[str, list[float]] = {"bare gRPC": [], "wxbot, cold": [], "wxbot, warm": []}
    for _ in range(rounds):
        async with gateway(contacts=CONTACTS, groups=GROUPS, members=MEMBERS) as world, folder() as home:
            times["bare gRPC"].append(await _bare(world))
            bot = BotProcess(home, world)
            for name in ("wxbot, cold", "wxbot, warm"):
                started = time.monotonic()
                await bot.start()
                await bot.ready(120)
                times[name].append(time.monotonic() - started)
                await asyncio.sleep(3)
                await bot.terminate()
    floor = median(times["bare gRPC"])
    lines = [(name, f"{median(all):.1f}", f"{median(all) / floor:.2f}") for name, all in times.items()]
    title = f"start to ready, {CONTACTS} contacts and {GROUPS} groups, medians of {rounds}"
    return table(title, ("", "seconds", "x floor"), lines)


async def _bare(world: OfficialGateway) -> float:
    started = time.monotonic()
    command = (sys.executable, "-m", "benchmarks.clients.bare", world.endpoint, world.token, "everybody")
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 120)
    elapsed = time.monotonic() - started
    process.kill()
    await process.wait()
    assert line == b"ready\n"
    return elapsed
