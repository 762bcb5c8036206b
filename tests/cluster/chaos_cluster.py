"""A cluster under chaos tests: gateways, relays, processes and proxies, and measurements."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from grpclib.events import RecvRequest, listen

import sandbox
from protocol.relaying import EPOCH
from sandbox.world.world import World
from tests.bot_process import ROOT, free_port
from tests.cluster.processes import Member
from tests.cluster.proxy import Proxy, to_postgres
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
        self.sandbox: sandbox.Sandbox
        self.http: aiohttp.ClientSession
        self.epochs: dict[str, list[tuple[int, str]]] = {account: [] for account in self.accounts}
        self.stale: list[str] = []  # calls of an epoch after one of a later epoch
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> ChaosCluster:
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
        self.members = [
            Member(self.folder, number, assistants, url, LEASE, 3600 if self.proxied and not number else 0)
            for number, url in enumerate(databases)
        ]
        for member in self.members:
            await member.start()
        await self.all_served(90)
        return self

    async def __aexit__(self, *_: object) -> None:
        for member in self.members:
            await member.kill()
        await self._stack.aclose()

    def _record(self, account: str, server: Any) -> None:
        """Record the epoch of every modifying call at the gateway."""
        latest = 0

        async def called(event: RecvRequest) -> None:
            nonlocal latest
            epoch, name = int(str(event.metadata.get(EPOCH, 0))), event.method_name.rpartition("/")[2]
            if epoch < latest and name.startswith(("MessageSend", "Room", "Contact", "Friendship")):
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
        ports = {account: free_port() for account in self.accounts}
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

        async def end() -> None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

        self._stack.push_async_callback(end)
        return {account: f"127.0.0.1:{port}" for account, port in ports.items()}

    # ---- who serves what ----

    async def served(self) -> dict[str, list[str]]:
        """Return the processes at which each account is online."""
        found: dict[str, list[str]] = {account: [] for account in self.accounts}
        answers = await asyncio.gather(*(member.online(self.http) for member in self.members))
        for member, accounts in zip(self.members, answers, strict=True):
            for account in accounts:
                found[account].append(member.name)
        return found

    async def all_served(self, seconds: float) -> None:
        """Wait until each account is online at exactly one process."""
        deadline = time.monotonic() + seconds
        while not all(len(at) == 1 for at in (await self.served()).values()):
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {member.name}\n{member.log()[-1500:]}" for member in self.members)
                raise AssertionError(f"not served within {seconds} s: {await self.served()}\n{logs}")
            await asyncio.sleep(0.2)

    async def all_up(self, seconds: float = SECONDS) -> None:
        """Wait until every process answers."""
        deadline = time.monotonic() + seconds
        for member in self.members:
            while not await member.answers(self.http):
                assert time.monotonic() < deadline, f"{member.name} does not answer\n{member.log()[-2000:]}"
                await asyncio.sleep(0.1)

    async def held_by(self, member: Member) -> set[str]:
        """The accounts that a process serves."""
        return await member.online(self.http)

    async def until_taken(self, accounts: set[str], began: float, seconds: float = SECONDS) -> list[float]:
        """Wait until other processes serve these accounts; return after how many seconds each was."""
        took: dict[str, float] = {}
        while accounts - took.keys():
            served = await self.served()
            now = time.monotonic() - began
            took |= {account: now for account in accounts - took.keys() if served[account]}
            if now > seconds:
                raise AssertionError(f"nobody serves {accounts - took.keys()} after {seconds} s")
            await asyncio.sleep(0.05)
        return list(took.values())

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
        async with self.http.get(f"{member.url}/metrics") as response:
            for line in (await response.text()).splitlines():
                if line.startswith(("wxbot_inbox_in_memory{", "wxbot_outbox_waiting{")):
                    total += float(line.rpartition(" ")[2])
        return total
