"""Business systems in a story: the stand-ins, a receiver of webhooks that can be difficult, a system of one's own."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from sqlmodel import select
from standardwebhooks import Webhook as Verifier

from api.events import EVENTS
from app.container import Container
from models.flows import FlowRun
from sandbox.systems import Systems, start_systems
from sandbox.world.model import Kind
from tests.stories.conftest import Town

ROOT = Path(__file__).parent.parent.parent
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw0hBc7Bqyj8ZCY="
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def runs(container: Container) -> list[str]:
    """The state of every run of a flow there has been."""
    return list(await container.store.read(lambda s: s.exec(select(FlowRun.state)).all()))


def shipped(systems: Systems, port: int) -> dict[str, Any]:
    """The config of the shipped flows, calling the stand-ins, for a bot whose REST door is at `port`."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    named = {name: {**section, "base_url": systems.urls[name]} for name, section in config["systems"].items()}
    return {"systems": named, "flows": config["flows"], "api": at(port)}


def at(port: int) -> dict[str, Any]:
    """The `api` section of a bot that hands out addresses which work."""
    return {"port": port, "public_url": f"http://127.0.0.1:{port}"}


@asynccontextmanager
async def stand_ins() -> AsyncIterator[Systems]:
    """云商城 and HiPOS 云 on free ports."""
    systems = await start_systems(ports=(0, 0))
    assert not systems.problems
    try:
        yield systems
    finally:
        systems.book.open.set()
        await systems.stop()


@asynccontextmanager
async def serving(handler: Handler, port: int = 0) -> AsyncIterator[str]:
    """A web server whose every request goes to one handler; yields its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class Receiver:
    """Takes webhooks, verifies each signature, and keeps the events. `answer` says what to do with one."""

    secret: str | bytes = SECRET
    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)  # taken with a 2xx
    tries: list[dict[str, Any]] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], Awaitable[web.StreamResponse | int]] | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One POST."""
        raw = await request.text()
        Verifier(self.secret).verify(raw, dict(request.headers))
        event: dict[str, Any] = json.loads(raw)
        assert request.headers["webhook-id"] == event["id"]
        assert set(event) == {"id", "type", "timestamp", "data"}
        told = EVENTS[event["type"]]
        assert set(told.data) <= set(event["data"]) <= {*told.data, *told.may}
        self.tries.append(event)
        said = await self.answer(event) if self.answer else 204
        if not isinstance(said, int):
            return said
        if 200 <= said < 300:
            self.events.append(event)
        return web.Response(status=said)

    def types(self) -> list[str]:
        """The types taken so far."""
        return [event["type"] for event in self.events]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The data of the events of a type."""
        return [event["data"] for event in self.events if event["type"] == kind]

    @property
    def config(self) -> dict[str, Any]:
        """Its entry under `webhooks:`."""
        return {"url": self.url, "secret": self.secret}


@asynccontextmanager
async def receiving(secret: str | bytes = SECRET) -> AsyncIterator[Receiver]:
    """A receiver that takes everything until it is told otherwise."""
    receiver = Receiver(secret)
    async with serving(receiver.handle) as url:
        receiver.url = f"{url}/hook"
        yield receiver


async def forever(*_given: object) -> int:
    """Never answer."""
    await asyncio.Event().wait()
    return 500


def told(town: Town, who: str = "店长") -> list[str]:
    """Everything the assistant said to a person."""
    return [message.text for message in town.seen(who) if message.kind is Kind.TEXT]
