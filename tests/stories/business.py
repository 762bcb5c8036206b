"""Business systems for the stories: the stand-ins, a receiver of webhooks, and custom servers."""

from __future__ import annotations

import asyncio
import json
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
from tests.stories.conftest import BotEnvironment
from tests.stories.service import Chats
from tests.web_server import serving

ROOT = Path(__file__).parent.parent.parent
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw0hBc7Bqyj8ZCY="


async def runs(container: Container) -> list[str]:
    """Return the state of all flow runs."""
    return list(await container.store.read(lambda s: s.exec(select(FlowRun.state)).all()))


def shipped_config(systems: Systems, port: int) -> dict[str, Any]:
    """Return the config of the shipped flows with these stand-ins, for a bot whose REST API uses `port`."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    named = {name: {**section, "base_url": systems.urls[name]} for name, section in config["systems"].items()}
    return {"systems": named, "flows": config["flows"], "api": api_section(port)}


def api_section(port: int) -> dict[str, Any]:
    """Return the `api` section of a bot with reachable URLs."""
    return {"port": port, "public_url": f"http://127.0.0.1:{port}"}


@asynccontextmanager
async def stand_ins() -> AsyncIterator[Systems]:
    """Start 云商城 and HiPOS 云 on free ports."""
    systems = await start_systems(ports=(0, 0))
    assert not systems.problems
    try:
        yield systems
    finally:
        systems.request_log.open.set()
        await systems.stop()


@dataclass
class Receiver:
    """Receives webhooks and verifies their signatures. `answer` decides the response to an event."""

    secret: str | bytes = SECRET
    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)  # events answered with 2xx
    tries: list[dict[str, Any]] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], Awaitable[web.StreamResponse | int]] | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle a POST."""
        raw = await request.text()
        Verifier(self.secret).verify(raw, dict(request.headers))
        event: dict[str, Any] = json.loads(raw)
        assert request.headers["webhook-id"] == event["id"]
        assert set(event) == {"id", "type", "timestamp", "data"}
        told = EVENTS[event["type"]]
        assert set(told.data) <= set(event["data"]) <= {*told.data, *told.optional}
        self.tries.append(event)
        said = await self.answer(event) if self.answer else 204
        if not isinstance(said, int):
            return said
        if 200 <= said < 300:
            self.events.append(event)
        return web.Response(status=said)

    def types(self) -> list[str]:
        """Return the types received so far."""
        return [event["type"] for event in self.events]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of the events of a type."""
        return [event["data"] for event in self.events if event["type"] == kind]

    @property
    def config(self) -> dict[str, Any]:
        """Return its entry under `webhooks:`."""
        return {"url": self.url, "secret": self.secret}


@asynccontextmanager
async def receiving(secret: str | bytes = SECRET) -> AsyncIterator[Receiver]:
    """Start a receiver that accepts everything by default."""
    receiver = Receiver(secret)
    async with serving(receiver.handle) as url:
        receiver.url = f"{url}/hook"
        yield receiver


async def never_respond(*_given: object) -> int:
    """Never respond."""
    await asyncio.Event().wait()
    return 500


def told(env: Chats, who: str = "店长") -> list[str]:
    """Return all messages of the assistant to a person."""
    return [message.text for message in env.seen(who) if message.kind is Kind.TEXT]


async def reload(env: BotEnvironment, **config: Any) -> Any:
    """Change the config and reload it; return the REST response."""
    env.extra = {**env.extra, **config}
    status, answer, _ = await env.call("POST", "/wxbot/config/reload")
    assert status == 200, answer
    return answer
