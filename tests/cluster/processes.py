"""Processes of a cluster that can be killed, frozen, stopped and restarted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from tests import wrong_clock
from tests.bot_process import ROOT
from tests.cluster.cpu_usage import of_process
from tests.ports import free_port
from tests.preloaded import ChildProcess, start_bot
from tests.waiting import SECONDS

PEOPLE_SAY = {"keywords": [{"regex": r"^问(.*)$", "reply": "答{1}"}], "faq": "", "fallback": ""}


def _clock_environment(seconds: float) -> dict[str, str]:
    """Return the environment of a process with a wrong clock; empty if libfaketime is not installed."""
    if not wrong_clock.LIBRARIES:
        return {}
    return wrong_clock.environment(FAKETIME=f"{seconds:+.0f}s", FAKETIME_DONT_RESET="1")


class Member:
    """One process. Its port and config stay the same over restarts.

    `preloaded`: fork it from a process that has imported the bot already; not where the start is measured.
    """

    def __init__(
        self,
        folder: Path,
        number: int,
        assistants: list[dict[str, Any]],
        database: str,
        lease: float,
        clock: float = 0,
        capacity: int = 500,
        preloaded: bool = False,
    ) -> None:
        self.folder = folder
        self.name = f"member{number}"
        self.port = free_port()
        self.process: ChildProcess | None = None
        self.frozen = False
        self.cut_off = False  # from the database
        self._cpu_before = 0.0  # CPU seconds of its earlier processes
        self._environment = {**os.environ, **(_clock_environment(clock) if clock else {})}
        self._preloaded = preloaded and not clock  # libfaketime is loaded when a program starts
        data = {
            "assistants": assistants,
            "database": database,
            "api": {"port": self.port, "public_url": "http://bot.example.com"},
            "admins": ["wxid_nobody"],
            "groups": {"confirm_seconds": 2},
            "customer_service": PEOPLE_SAY,
            "pacing": {"enabled": False},
            "limits": {"replies": 1_000_000, "repeats": 1_000_000},  # a few people send very many messages
            "language": "en",
            "cluster": {"enabled": True, "advertise": self.url, "lease_seconds": lease, "capacity": capacity},
        }
        self._config, self._log = folder / f"{self.name}.yaml", folder / f"{self.name}.log"
        self._config.write_text(json.dumps(data, ensure_ascii=False))

    @property
    def url(self) -> str:
        """Base URL of its REST API, and the address for the other processes."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_up(self) -> bool:
        """Whether it runs, and is neither frozen nor cut off."""
        runs = self.process is not None and self.process.returncode is None
        return runs and not self.frozen and not self.cut_off

    async def start(self) -> None:
        """Start the process; it is not ready yet."""
        if self._preloaded:
            self.process = await start_bot(self._config, self._log, self._environment)
            return
        with self._log.open("ab") as log:
            command = (sys.executable, "bot.py", "--config", str(self._config))
            self.process = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, stdout=log, stderr=log, env=self._environment
            )

    async def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self._cpu_before = self.cpu()
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
            self.process, self.frozen = None, False

    async def terminate(self) -> tuple[int, float]:
        """SIGTERM; its exit code and how many seconds it took."""
        assert self.process is not None
        self._cpu_before, began = self.cpu(), time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(self.process.wait(), SECONDS)
        self.process = None
        return code, time.monotonic() - began

    def freeze(self) -> None:
        """SIGSTOP."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self.frozen = False

    async def answers(self, http: aiohttp.ClientSession) -> bool:
        """Whether it answers at all."""
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with http.get(f"{self.url}/healthz", timeout=aiohttp.ClientTimeout(5)) as response:
                return response.status == 200
        return False

    async def states(self, http: aiohttp.ClientSession) -> dict[str, str] | None:
        """The states of its accounts; None while it does not answer."""
        if not self.is_up:
            return None
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with http.get(f"{self.url}/readyz", timeout=aiohttp.ClientTimeout(2)) as response:
                return dict((await response.json()).get("assistants", {}))
        return None

    async def online(self, http: aiohttp.ClientSession) -> set[str]:
        """The accounts that it serves; nothing while it does not answer."""
        states = await self.states(http) or {}
        return {account for account, state in states.items() if state == "online"}

    def cpu(self) -> float:
        """CPU seconds, also of its earlier processes."""
        pid = self.process.pid if self.process is not None else 0
        return self._cpu_before + (of_process(pid) if pid else 0.0)

    def last_fault(self) -> str:
        """The log entry of the last request that failed with a traceback, if any."""
        log = self.log()
        at = log.rfind(" failed\nTraceback")
        return f"{self.name}: {log[log.rfind(chr(10), 0, at) + 1 : at + 8000]}" if at >= 0 else ""

    def log(self) -> str:
        """What it wrote."""
        return self._log.read_text(errors="replace")


def percentile(values: list[float], part: float) -> float:
    """Return the quantile: that share of the values is below it."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
