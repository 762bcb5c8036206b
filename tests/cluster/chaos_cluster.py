"""A cluster under chaos tests: gateways, relays, processes and proxies, and measurements."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from grpclib.events import RecvRequest, listen
from sqlalchemy import make_url

import sandbox
from protocol.relaying import EPOCH
from sandbox.world.world import World
from tests.bot_process import ROOT
from tests.cluster.cpu_usage import CpuUsage, of_process, of_server
from tests.cluster.processes import Member
from tests.cluster.proxy import Proxy, to_postgres
from tests.cluster.service_times import ServiceTimes
from tests.ports import free_port, free_ports
from tests.waiting import SECONDS

LEASE = 5.0


class ChaosCluster:
    """Accounts `a0`…, each with a gateway of its own (and a relay before it), and processes that share them."""

    def __init__(
        self, folder: Path, database: str, accounts: int, members: int, *, relayed: bool = False, proxied: bool = False
    ) -> None:
        self.folder = folder
        self.database = database
        self.accounts = [f"a{number}" for number in range(accounts)]
        self.relayed = relayed
        self.proxied = proxied
        self.to_database: list[Proxy] = []  # by member
        self.to_gateway: dict[str, Proxy] = {}
        self._count = members
        self.members: list[Member] = []
        self.times = ServiceTimes(database, self.accounts, self.members, LEASE)
        self.sandbox: sandbox.Sandbox
        self.http: aiohttp.ClientSession
        self.stale: list[str] = []  # calls of an epoch after one of a later epoch
        self.on_call: list[Callable[[str, str], None]] = []  # called with account and name of each call
        self._relay = 0  # process id
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> ChaosCluster:
        try:
            await self._open()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _open(self) -> None:
        world = World.default(self.accounts, seed=1)
        self.sandbox = await sandbox.start(self.accounts, port=0, world=world)
        self._stack.push_async_callback(self.sandbox.stop)
        self.http = await self._stack.enter_async_context(aiohttp.ClientSession())
        for account, server in self.sandbox.servers.items():
            self._record(account, server)
        endpoints = await self._relays() if self.relayed else dict(self.sandbox.endpoints)
        databases = [self.database] * self._count
        if self.proxied:
            endpoints, databases = await self._proxies(endpoints)
        assistants = [
            {"account": a, "endpoint": endpoints[a], "token": self.sandbox.token, "tls": False} for a in self.accounts
        ]
        for number, url in enumerate(databases):
            clock = 3600 if self.proxied and not number else 0
            self.members.append(Member(self.folder, number, assistants, url, LEASE, clock, preloaded=True))
        for member in self.members:
            await member.start()
        await self._stack.enter_async_context(self.times)
        await self.times.settled()

    async def __aexit__(self, *_: object) -> None:
        for member in self.members:
            await member.kill()
        await self._stack.aclose()

    def _record(self, account: str, server: Any) -> None:
        """Compare the epoch of every call at the gateway with those before it."""
        latest = 0

        async def called(event: RecvRequest) -> None:
            nonlocal latest
            epoch, name = int(str(event.metadata.get(EPOCH, 0))), event.method_name.rpartition("/")[2]
            for listener in self.on_call:
                listener(account, name)
            if epoch < latest:
                self.stale.append(f"{account} {name} {epoch} < {latest}")
            latest = max(latest, epoch)

        listen(server._grpc, RecvRequest, called)

    async def _proxies(self, endpoints: dict[str, str]) -> tuple[dict[str, str], list[str]]:
        """Put a proxy before each gateway, and between each process and the database."""
        connect, through = to_postgres(self.database)
        for account, endpoint in endpoints.items():
            proxy = Proxy(partial(asyncio.open_connection, *endpoint.rsplit(":", 1)))
            self.to_gateway[account] = await self._stack.enter_async_context(proxy)
        for _ in range(self._count):
            self.to_database.append(await self._stack.enter_async_context(Proxy(connect)))
        behind = {account: f"127.0.0.1:{proxy.port}" for account, proxy in self.to_gateway.items()}
        return behind, [through(proxy.port) for proxy in self.to_database]

    async def _relays(self) -> dict[str, str]:
        """A process with a relay before each gateway."""
        ports = dict(zip(self.accounts, free_ports(len(self.accounts)), strict=True))
        relays = [
            {"listen": f"127.0.0.1:{ports[a]}", "endpoint": e, "token": self.sandbox.token, "tls": False}
            for a, e in self.sandbox.endpoints.items()
        ]
        file = self.folder / "relay.yaml"
        file.write_text(
            json.dumps({"relays": relays, "data": str(self.folder / "relay"), "metrics": f"127.0.0.1:{free_port()}"})
        )
        log = self._stack.enter_context((self.folder / "relay.log").open("ab"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "relay", "--config", str(file), cwd=ROOT, stdout=log, stderr=log
        )

        self._relay = process.pid

        async def end() -> None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

        self._stack.push_async_callback(end)
        return {account: f"127.0.0.1:{port}" for account, port in ports.items()}

    def cpu_usage(self) -> CpuUsage:
        """Begin to measure the CPU of all participants."""
        url = make_url(self.database)
        folder = Path(str(url.query["host"]))
        server = int((folder / "postmaster.pid").read_text().split()[0])
        readers: dict[str, Callable[[], float]] = {member.name: member.cpu for member in self.members}
        readers["sandbox, load and proxies"] = partial(of_process, os.getpid())
        readers["PostgreSQL"] = partial(of_server, server)
        if self._relay:
            readers["relays"] = partial(of_process, self._relay)
        return CpuUsage(readers)

    # ---- who serves what ----

    async def held_by(self, member: Member) -> set[str]:
        """The accounts that a process serves."""
        return await member.online(self.http)

    async def wait_idle(self, seconds: float = SECONDS) -> None:
        """Wait until there are no unhandled events and unsent messages, several times in a row."""
        deadline, still = time.monotonic() + seconds, 0
        while still < 4:
            busy = [await self._busy(member) for member in self.members]
            still = 0 if any(busy) else still + 1
            assert time.monotonic() < deadline, f"still busy after {seconds} s: {busy}"
            await asyncio.sleep(0.25)

    async def _busy(self, member: Member) -> float:
        total = 0.0
        try:
            async with self.http.get(f"{member.url}/metrics") as response:
                lines = (await response.text()).splitlines()
        except aiohttp.ClientError:  # it starts again as a new member
            return 1.0
        for line in lines:
            if line.startswith(("wxbot_inbox_in_memory{", "wxbot_outbox_waiting{")):
                total += float(line.rpartition(" ")[2])
        return total
