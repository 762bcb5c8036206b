"""The measured processes, which answer 问N with 答N through the official gateway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.bot_process import ROOT, BotProcess
from tests.official import OfficialGateway

CLIENTS = Path(__file__).parent / "clients"
NAMES = ("wxbot", "bare gRPC", "stock SDK", "Node client")


class MeasuredProcess:
    """Resource usage of a running process."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.pid = pid

    def cpu(self) -> float:
        """Return the CPU time so far, in seconds."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def memory(self, what: str = "VmRSS") -> float:
        """Return the memory in MB now, or the maximum so far (VmHWM)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) / 1024
        raise KeyError(what)


@contextlib.asynccontextmanager
async def folder() -> AsyncIterator[Path]:
    """Context of a temporary directory."""
    path = Path(tempfile.mkdtemp(prefix="wxbot-bench-"))
    try:
        yield path
    finally:
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)


@contextlib.asynccontextmanager
async def gateway(**setup: int) -> AsyncIterator[OfficialGateway]:
    """Context of a new official gateway with contacts and groups; plaintext, because the stock SDK supports
    nothing else.
    """
    official = OfficialGateway(tls=False)
    await official.start()
    try:
        await official.setup(**setup)
        yield official
    finally:
        await official.stop()


@contextlib.asynccontextmanager
async def measured_process(
    name: str, to: OfficialGateway, through: Any = None, **config: Any
) -> AsyncIterator[MeasuredProcess]:
    """Start a measured process, connected (`through` a relay) and answering."""
    async with folder() as home, _process(name, through or to, home, config) as pid:
        await _answers(to)
        yield MeasuredProcess(pid)


@contextlib.asynccontextmanager
async def _process(name: str, to: OfficialGateway, home: Path, config: dict[str, Any]) -> AsyncIterator[int]:
    if name == "wxbot":
        bot = BotProcess(home, to, **config)
        await bot.start()
        try:
            await bot.ready()
            assert bot.process is not None
            yield bot.process.pid
        finally:
            await bot.kill()
        return
    command = _command(name, to)
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT), "WECHATY_LOG": "silent"}
    environment["CACHE_DIR"] = str(home)
    with (home / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=home, env=environment, stdout=asyncio.subprocess.PIPE, stderr=log
        )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        if line != b"ready\n":
            raise RuntimeError(f"{name} did not start: {(home / 'log').read_text()[-2000:]}")
        yield process.pid
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _command(name: str, to: OfficialGateway) -> Sequence[str]:
    if name == "Node client":
        return ("node", str(CLIENTS / "node.mjs"), to.endpoint, to.token)
    module = {"bare gRPC": "bare", "stock SDK": "stock"}[name]
    return (sys.executable, "-m", f"benchmarks.clients.{module}", to.endpoint, to.token)


async def _answers(to: OfficialGateway) -> None:
    """Wait until it answers: some report ready before they receive messages."""
    for number in range(60):
        await to.say("c0", f"问-{number}")
        with contextlib.suppress(TimeoutError):
            await to.wait_sent(1, "c0", seconds=1)
            await asyncio.sleep(0.5)
            return
    raise RuntimeError("it does not answer")
