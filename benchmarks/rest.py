"""REST throughput with wrk and 32 connections, compared to an aiohttp handler on the same cores."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from benchmarks.measured_processes import folder, gateway
from benchmarks.tables import table
from tests.bot_process import ACCOUNT, ROOT, BotProcess
from tests.ports import free_port

CONNECTIONS = 32
SECONDS = 4
SCRIPT = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[{body}]==]
"""
KEYED = """local begun, number = tostring(os.time()), 0
request = function()
  number = number + 1
  wrk.headers["Idempotency-Key"] = begun .. "-" .. number
  return wrk.format()
end
"""
MESSAGE = {"assistant": ACCOUNT, "to": "c7", "text": "您好"}


async def run(rounds: int = 3) -> str:
    """Return requests per second, medians of alternating rounds, and their ratio to the baseline."""
    if shutil.which("wrk") is None:
        return "REST: left out, wrk is not installed (Debian: apt-get install wrk)\n"
    async with (
        gateway(contacts=50) as world,
        folder() as home,
        _server("bare_http") as bare,
        _server("fastapi_http", str(home / "fastapi.db")) as fastapi,
    ):
        await world.contact("wxid_zdx", "智多星")
        pace = {"group_seconds": 0, "add_seconds": 0}  # messages keep the usual rate limit: queueing them is measured
        bot = BotProcess(home, world, pacing=pace)
        await bot.start()
        try:
            await bot.ready()
            token = await _group_with_member(bot.url)
            await world.set(echo=False)
            cases: dict[str, tuple[Any, ...]] = {
                "bare aiohttp, JSON in and out": (bare, {"token": token, "member": "c5"}),
                "FastAPI + SQLModel, a row found": (
                    f"{fastapi}/wxbot/qun/membership",
                    {"token": "T", "member": "c5"},
                ),
                "FastAPI + SQLModel, a row inserted": (f"{fastapi}/wxbot/message", MESSAGE),
                "POST /wxbot/qun/membership, already in": (
                    f"{bot.url}/wxbot/qun/membership",
                    {"token": token, "member": "c5"},
                ),
                "POST /wxbot/message, durable": (f"{bot.url}/wxbot/message", MESSAGE),
                "the same, each with its Idempotency-Key": (f"{bot.url}/wxbot/message", MESSAGE, KEYED),
            }
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
            for _ in range(rounds):
                for name, (url, body, *more) in cases.items():
                    found[name].append(await _wrk(home, url, body, *more))
        finally:
            await bot.kill()
    floor = median(rate for rate, _ in next(iter(found.values())))
    lines = []
    for name, rows in found.items():
        rate, p99 = median(r for r, _ in rows), median(p for _, p in rows)
        lines.append((name, f"{rate:.0f}", f"{rate / floor:.2f}", f"{p99:.0f}"))
    return table(f"REST, {CONNECTIONS} connections, medians of {rounds}", ("", "req/s", "x bare", "p99 ms"), lines)


@contextlib.asynccontextmanager
async def _server(module: str, *arguments: str) -> AsyncIterator[str]:
    """Context of a server of benchmarks.clients; yields its URL."""
    port = free_port()
    command = (sys.executable, "-m", f"benchmarks.clients.{module}", str(port), *arguments)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    try:
        url = f"http://127.0.0.1:{port}"
        await _listening(url)
        yield url
    finally:
        process.kill()
        await process.wait()


async def _listening(url: str) -> None:
    async with aiohttp.ClientSession() as http:
        for _ in range(600):
            with contextlib.suppress(aiohttp.ClientError):
                await http.get(url)
                return
            await asyncio.sleep(0.05)
    raise RuntimeError(f"nobody listens at {url}")


async def _group_with_member(url: str) -> str:
    async with aiohttp.ClientSession() as http:
        await http.post(f"{url}/wxbot/qun", json={"code": "bench", "owner": "c0", "assistant": ACCOUNT})
        async with http.get(f"{url}/wxbot/qun", params={"code": "bench"}) as response:
            token = str((await response.json())["qun"]["token"])
        async with http.post(f"{url}/wxbot/qun/membership", json={"token": token, "member": "c5"}) as response:
            assert response.status == 200, await response.text()
    return token


async def _wrk(home: Path, url: str, body: dict[str, Any], more: str = "") -> tuple[float, float]:
    """Return requests per second and p99 in ms."""
    script = home / "post.lua"
    script.write_text(SCRIPT.format(body=json.dumps(body)) + more)
    command = ("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", str(script), url)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    text = (await process.communicate())[0].decode()
    assert "Non-2xx" not in text, text
    rate = float(_found(r"Requests/sec:\s+([\d.]+)", text)[1])
    number, unit = _found(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    return rate, float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def _found(pattern: str, text: str) -> re.Match[str]:
    match = re.search(pattern, text)
    assert match is not None, text
    return match
