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

from tests.bot_process import ROOT, free_port
from tests.waiting import SECONDS

PEOPLE_SAY = {"keywords": [{"regex": r"^问(.*)$", "reply": "答{1}"}], "faq": "", "fallback": ""}


def wrong_clock(seconds: float) -> dict[str, str]:
    """Return the environment of a process whose clock is off; empty where libfaketime is not installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    times = {"FAKETIME": f"{seconds:+.0f}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}
    return {"LD_PRELOAD": str(found[0]), **times} if found else {}


class Member:
    """One process. Its port and config stay the same over restarts."""

    def __init__(
        self, folder: Path, number: int, assistants: list[dict[str, Any]], database: str, lease: float, clock: float = 0
    ) -> None:
        self.folder = folder
        self.name = f"member{number}"
        self.port = free_port()
        self.process: asyncio.subprocess.Process | None = None
        self.frozen = False
        self.cut_off = False  # from the database
        self._environment = {**os.environ, **(wrong_clock(clock) if clock else {})}
        data = {
            "assistants": assistants,
            "database": database,
            "api": {"port": self.port, "public_url": "http://bot.example.com"},
            "admins": ["wxid_nobody"],
            "groups": {"confirm_seconds": 2},
            "customer_service": PEOPLE_SAY,
            "pacing": {"enabled": False},
            "limits": {"replies": 1_000_000, "repeats": 1_000_000},  # a few people say very much
            "language": "en",
            "cluster": {"enabled": True, "advertise": self.url, "lease_seconds": lease},
        }
        (folder / f"{self.name}.yaml").write_text(json.dumps(data, ensure_ascii=False))

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
        with (self.folder / f"{self.name}.log").open("ab") as log:
            command = (sys.executable, "bot.py", "--config", str(self.folder / f"{self.name}.yaml"))
            self.process = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, stdout=log, stderr=log, env=self._environment
            )

    async def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
            self.process, self.frozen = None, False

    async def terminate(self) -> tuple[int, float]:
        """SIGTERM; its exit code and how many seconds it took."""
        assert self.process is not None
        began = time.monotonic()
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
            async with http.get(f"{self.url}/healthz", timeout=aiohttp.ClientTimeout(1)) as response:
                return response.status == 200
        return False

    async def online(self, http: aiohttp.ClientSession) -> set[str]:
        """The accounts that it serves; nothing while it does not answer."""
        if not self.is_up:
            return set()
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with http.get(f"{self.url}/readyz", timeout=aiohttp.ClientTimeout(1)) as response:
                states = (await response.json()).get("assistants", {})
                return {account for account, state in states.items() if state == "online"}
        return set()

    def log(self) -> str:
        """What it wrote."""
        return (self.folder / f"{self.name}.log").read_text(errors="replace")


def percentile(values: list[float], part: float) -> float:
    """The value below which that part of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
