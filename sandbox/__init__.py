"""A WeChat simulator: WeChat's rules, the puppet service that bots connect to, and a web page with its API."""

from __future__ import annotations

import ipaddress
import secrets
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from sandbox.control.app import make_app
from sandbox.gateway.server import PuppetServer
from sandbox.world.world import ADMIN, ZHIDUO, World

__all__ = ["PuppetServer", "Sandbox", "World", "start"]


@dataclass(slots=True)
class Sandbox:
    """A running sandbox."""

    world: World
    token: str
    servers: dict[str, PuppetServer]
    url: str = ""  # base URL of the page and the control API
    password: str = ""  # of the page and the control API; always set where others can reach them
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def endpoints(self) -> dict[str, str]:
        """host:port of the gateway of each account."""
        return {account: f"{server.host}:{server.port}" for account, server in self.servers.items()}

    async def stop(self) -> None:
        """Stop the servers and save the state. Idempotent."""
        await self._stack.aclose()


async def start(
    accounts: Sequence[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8788,
    token: str | None = None,
    state: Path | str | None = None,
    grpc_ports: Sequence[int] = (),
    seed: int | None = None,
    world: World | None = None,
    staff_room: str = "",
    password: str = "",
) -> Sandbox:
    """Start a world with these assistants, a gateway for each, and the control API on `host`:`port`.

    The gateways listen on loopback, on `grpc_ports` or free ports; `token` is random by default. `state` is the file
    from which the world is loaded and to which it is saved. `staff_room` is the topic of a group with 店长, 智多星 and
    the assistants, created unless it exists. Beyond loopback a password is always required: `password`, or a random
    one. Raises OSError if a port is taken or `state` cannot be read.
    """
    # The prefix is the TLS server name: the Node client requires every token to begin with it.
    token = token or f"insecure_{uuid.UUID(bytes=secrets.token_bytes(16), version=4)}"
    world = world or _world(state, seed)
    world.ensure(accounts)
    _ensure_staff_room(world, accounts, staff_room)
    ports = [*grpc_ports, *[0] * (len(accounts) - len(grpc_ports))]
    servers = {name: PuppetServer(world, name, token, port=p) for name, p in zip(accounts, ports, strict=True)}
    sandbox = Sandbox(world, token, servers, password=password or ("" if _is_loopback(host) else secrets.token_hex(8)))
    async with AsyncExitStack() as stack:
        if state is not None:
            await _keep(world, Path(state), stack)
        for server in servers.values():
            await server.start()
            stack.push_async_callback(server.stop)
        sandbox.url = await _serve_control(sandbox, host, port, stack)
        sandbox._stack = stack.pop_all()
    return sandbox


async def _serve_control(sandbox: Sandbox, host: str, port: int, stack: AsyncExitStack) -> str:
    """Start the control API and return its URL."""
    app = make_app(sandbox.world, sandbox.endpoints, sandbox.password)
    runner = web.AppRunner(app, shutdown_timeout=1.0, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, host, port).start()
    url = f"http://{address(host)}:{runner.addresses[0][1]}"
    sandbox.world.avatar_base = f"{url}/api/avatars/"
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address(host: str) -> str:
    """Return the host to use in URLs for a listening address."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{reachable}]" if ":" in reachable else reachable


def _world(state: Path | str | None, seed: int | None) -> World:
    if state is not None and Path(state).exists():
        return World.load(state, seed=seed)
    return World.default(seed=seed)


def _ensure_staff_room(world: World, accounts: Sequence[str], topic: str) -> None:
    if topic and all(room.topic != topic for room in world.state.rooms.values()):
        assistants = [world.accounts.person(account).id for account in accounts]
        world.rooms.create(ADMIN, [*assistants, ZHIDUO], topic)


async def _keep(world: World, path: Path, stack: AsyncExitStack) -> None:
    from sandbox.world.storage import StateStore

    keeper = StateStore(world.state, path)
    world.on_change = keeper.start()
    stack.push_async_callback(keeper.stop)
