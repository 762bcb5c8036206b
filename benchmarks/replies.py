"""A message and its answer through the official gateway: CPU per reply, replies per second, latency, memory."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import NamedTuple

from benchmarks.measured_processes import NAMES, MeasuredProcess, gateway, measured_process
from benchmarks.tables import table
from tests.official import OfficialGateway

PEOPLE = 100
BURST = 3000
PACE = 50  # per second
SECONDS = 6


class Result(NamedTuple):
    """A round of one process."""

    cpu_ms: float  # per reply
    rate: float  # replies per second in the burst
    p50: float  # ms, at PACE
    p99: float
    peak: float  # MB


async def measure(name: str, count: int = BURST) -> Result:
    """One round, over a fresh gateway."""
    async with gateway(contacts=PEOPLE) as world, measured_process(name, world) as process:
        cpu, rate = await burst(world, process, count)
        await asyncio.sleep(1)
        waits = await paced(world)
        p50, p99 = median(waits), sorted(waits)[int(len(waits) * 0.99)]
        return Result(cpu * 1000, rate, p50, p99, process.memory("VmHWM"))


async def burst(world: OfficialGateway, process: MeasuredProcess, count: int) -> tuple[float, float]:
    """Return CPU seconds per reply and replies per second for a burst."""
    people = [f"c{i}" for i in range(1, PEOPLE)]
    before, used, started = len(await world.sent()), process.cpu(), time.monotonic()
    await world.do("burst", count=count, text="问", **{"from": people})
    rows = await world.wait_sent(before + count, seconds=120)
    elapsed = time.monotonic() - started
    await asyncio.sleep(1)  # includes the work after the last reply
    assert len({row["text"] for row in rows}) >= count, "some were not answered"
    return (process.cpu() - used) / count, count / elapsed


async def paced(world: OfficialGateway) -> list[float]:
    """Return the milliseconds between message and reply, by the gateway's clock."""
    loop, started, names = asyncio.get_running_loop(), time.time(), range(PACE * SECONDS)
    start, before = loop.time(), len(await world.sent())
    for number in names:
        await asyncio.sleep(max(0.0, start + number / PACE - loop.time()))
        await world.say(f"c{number % PEOPLE}", f"问p{number}")
    await world.wait_sent(before + len(names), seconds=120)
    asked = {m["text"][1:]: m["timestamp"] for m in await world.table("messages") if m["text"].startswith("问p")}
    answered = {m["text"][1:]: m["at"] for m in await world.sent() if m["text"].startswith("答p")}
    assert len(answered) == len(names) and min(asked.values()) > started * 1000 - 5000
    return [float(answered[key] - asked[key]) for key in asked]


async def run(rounds: int = 3, count: int = BURST) -> str:
    """Run all measured processes in alternating rounds; return medians, and the CPU relative to the baseline."""
    results: dict[str, list[Result]] = {name: [] for name in NAMES}
    for number in range(rounds):
        for name in NAMES if number % 2 == 0 else reversed(NAMES):
            results[name].append(await measure(name, count))
    middle = {name: Result(*(median(column) for column in zip(*rows, strict=True))) for name, rows in results.items()}
    floor = middle["bare gRPC"].cpu_ms
    lines = []
    for name, r in middle.items():
        figures = (f"{r.cpu_ms:.2f}", f"{r.cpu_ms / floor:.2f}", *(f"{f:.0f}" for f in (r.rate, r.p50, r.p99, r.peak)))
        lines.append((name, *figures))
    head = ("", "CPU ms/reply", "x floor", f"replies/s of {count}", f"p50 ms at {PACE}/s", "p99 ms", "peak MB")
    return table(f"message to answer, medians of {rounds} rounds in turns", head, lines)
