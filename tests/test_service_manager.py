"""Notifications to systemd."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from app.service_manager import ServiceManager
from tests.bot_process import ROOT
from tests.ports import free_port
from tests.waiting import SECONDS


class Systemd:
    """The receiving end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    async def receives(self, seconds: float = SECONDS) -> str:
        loop = asyncio.get_running_loop()
        return (await asyncio.wait_for(loop.sock_recv(self.socket, 100), seconds)).decode()


@pytest.mark.parametrize("kind", ["file", "abstract"])
async def test_each_state_is_one_datagram(tmp_path: Path, kind: str) -> None:
    name = str(tmp_path / "notify") if kind == "file" else f"\0wxbot-test-{os.getpid()}"
    systemd = Systemd(name)
    manager = ServiceManager({"NOTIFY_SOCKET": name.replace("\0", "@"), "WATCHDOG_USEC": "100000"})
    manager.ready()
    manager.stopping()
    assert [await systemd.receives(), await systemd.receives()] == ["READY=1", "STOPPING=1"]
    alive = asyncio.create_task(manager.keep_alive())
    assert [await systemd.receives(), await systemd.receives()] == ["WATCHDOG=1", "WATCHDOG=1"]
    alive.cancel()
    systemd.socket.close()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "/nowhere/at/all"},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"},  # meant for another process
        {"WATCHDOG_USEC": "x"},
    ],
)
async def test_nothing_is_sent_without_systemd(environment: dict[str, str]) -> None:
    manager = ServiceManager(environment)
    manager.ready()
    await asyncio.wait_for(manager.keep_alive(), SECONDS)
    manager.stopping()


async def test_bot_notifies_ready_and_watchdog(tmp_path: Path) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    port = free_port()
    (tmp_path / "config.yaml").write_text(
        f"{{database: 'sqlite:///{tmp_path}/wxbot.db', api: {{port: {port}}}, sandbox: {{port: 0}}, "
        "systems: {}, flows: [], customer_service: {faq: ''}}"
    )
    environment = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
    command = (sys.executable, "bot.py", "--config", str(tmp_path / "config.yaml"))
    with (tmp_path / "log").open("wb") as log:
        bot = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        assert await systemd.receives() == "READY=1", (tmp_path / "log").read_text()
        with socket.create_connection(("127.0.0.1", port), 2):
            pass
        began = time.monotonic()
        assert {await systemd.receives() for _ in range(4)} == {"WATCHDOG=1"}
        assert time.monotonic() - began < 30
        bot.send_signal(signal.SIGSTOP)  # systemd would restart it now
        await asyncio.sleep(0.1)
        while True:
            try:
                await systemd.receives(1.2)
            except TimeoutError:
                break
        bot.send_signal(signal.SIGCONT)
        bot.terminate()
        received = [await systemd.receives()]
        while received[-1] == "WATCHDOG=1":
            received.append(await systemd.receives())
        assert received[-1] == "STOPPING=1"
        assert await asyncio.wait_for(bot.wait(), SECONDS) == 0
    finally:
        if bot.returncode is None:
            bot.kill()
            await bot.wait()
        systemd.socket.close()
