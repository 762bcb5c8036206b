"""A world, a recorder of the events of its assistant, and a gateway over it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sandbox.gateway.server import PuppetServer
from sandbox.world.world import World
from tests.sandbox.client import TOKEN, Client

ACCOUNT = "weimi1001"
BOT = "wxid_weimi1001"


class Clock:
    """A clock that tests can set."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class EventRecorder:
    """Records the events of an assistant."""

    def __init__(self) -> None:
        self.all: list[tuple[str, dict[str, Any], float]] = []

    def __call__(self, event: str, payload: dict[str, Any], delay: float) -> None:
        self.all.append((event, payload, delay))

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the payloads of these kinds, oldest first."""
        return [payload for event, payload, _ in self.all if event in kinds]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return World.default([ACCOUNT], seed=7, clock=clock)


@pytest.fixture
def recorder(world: World) -> EventRecorder:
    recorder = EventRecorder()
    world.accounts.subscribe(ACCOUNT, recorder)
    return recorder


@pytest.fixture
async def server(world: World) -> AsyncIterator[PuppetServer]:
    server = PuppetServer(world, ACCOUNT, TOKEN)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: PuppetServer) -> AsyncIterator[Client]:
    client = Client(server.port)
    yield client
    client.close()
