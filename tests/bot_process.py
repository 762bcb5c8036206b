"""The bot as a child process, `python bot.py --config FILE`, which can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from tests.ports import free_port
from tests.preloaded import ChildProcess, start_bot
from tests.waiting import SECONDS

ROOT = Path(__file__).parent.parent
ACCOUNT = "weimi1001"


class Gateway(Protocol):
    """How a bot reaches its gateway."""

    @property
    def endpoint(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def tls(self) -> bool: ...


class BotProcess:
    """A bot with one gateway. Database, port and config are kept over restarts.

    `environment`: variables set besides those of the tests. `preloaded`: fork it from a process that has imported the
    bot already, which is quicker; not where its start or its memory is measured.
    """

    def __init__(
        self,
        folder: Path,
        gateway: Gateway,
        environment: Mapping[str, str] | None = None,
        preloaded: bool = False,
        **config: Any,
    ) -> None:
        self.folder = folder
        self._preloaded = preloaded
        self._environment = {**os.environ, **(environment or {})}
        self.database = folder / "wxbot.db"
        self.port = free_port()
        self.process: ChildProcess | None = None
        assistant = {"account": ACCOUNT, "endpoint": gateway.endpoint, "token": gateway.token, "tls": gateway.tls}
        data: dict[str, Any] = {
            "assistants": [assistant],
            "database": f"sqlite:///{self.database}",
            "api": {"port": self.port, **config.pop("api", {})},
            "admins": ["wxid_nobody"],
            "groups": {"confirm_seconds": 2},
            "customer_service": {"faq": "", "keywords": [{"regex": r"^问(.*)$", "reply": "答{1}"}]},
            "pacing": {"enabled": False},
            "limits": {"replies": 1_000_000, "repeats": 1_000_000},  # a few people send very many messages
        }
        (folder / "config.yaml").write_text(json.dumps(data | config, ensure_ascii=False))

    @property
    def url(self) -> str:
        """Base URL of its REST API."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start the process without waiting until it is ready."""
        if self._preloaded:
            self.process = await start_bot(self.folder / "config.yaml", self.folder / "bot.log", self._environment)
            return
        with (self.folder / "bot.log").open("ab") as log:
            command = (sys.executable, "bot.py", "--config", str(self.folder / "config.yaml"))
            self.process = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    async def ready(self, seconds: float = SECONDS) -> None:
        """Wait until it is ready; raise RuntimeError with its last output if it exits instead."""
        deadline = time.monotonic() + seconds
        async with aiohttp.ClientSession() as http:
            while True:
                assert self.process is not None
                if self.process.returncode is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the bot is not ready:\n{self.log()[-3000:]}")
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with http.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """Kill the process with SIGKILL."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
            self.process = None

    async def terminate(self, seconds: float = SECONDS) -> tuple[int, float]:
        """Send SIGTERM; return the exit code and the seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(self.process.wait(), seconds)
        self.process = None
        return code, time.monotonic() - began

    async def metrics(self) -> dict[str, float]:
        """Return its metrics, summed over labels."""
        sums: dict[str, float] = {}
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/metrics") as response:
            for line in (await response.text()).splitlines():
                if line and not line.startswith("#"):
                    name = line.partition("{")[0].partition(" ")[0]
                    sums[name] = sums.get(name, 0.0) + float(line.rpartition(" ")[2])
        return sums

    async def wait_idle(self, seconds: float = SECONDS) -> None:
        """Wait until it has no unhandled events and unsent messages, twice in a row."""
        deadline = time.monotonic() + seconds
        still = 0
        while still < 3:
            numbers = await self.metrics()
            busy = numbers.get("wxbot_inbox_in_memory", 0) + numbers.get("wxbot_outbox_waiting", 0)
            still = 0 if busy else still + 1
            assert time.monotonic() < deadline, f"still busy with {busy} after {seconds} s"
            await asyncio.sleep(0.1)

    def log(self) -> str:
        """Return its output."""
        return (self.folder / "bot.log").read_text(errors="replace")
