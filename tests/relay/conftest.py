"""Fixtures: relays in front of official gateways."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.official import OfficialGateway, official
from tests.relay.process import RelayProcess

__all__ = ["official"]

Relays = Callable[..., Awaitable[RelayProcess]]


@pytest_asyncio.fixture
async def relays(tmp_path: Path) -> AsyncIterator[Relays]:
    """Return a function that starts a relay for a gateway; it is stopped after the test."""
    running: list[RelayProcess] = []

    async def start(gateway: OfficialGateway, **more: Any) -> RelayProcess:
        relay = RelayProcess(tmp_path, gateway, **more)
        running.append(relay)
        await relay.start()
        return relay

    yield start
    for relay in running:
        await relay.kill()
