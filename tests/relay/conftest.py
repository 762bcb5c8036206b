"""Relays before official gateways."""

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
    """A function that starts a relay before a gateway; it ends with the test."""
    running: list[RelayProcess] = []

    async def start(gateway: OfficialGateway, **more: Any) -> RelayProcess:
        relay = RelayProcess(tmp_path, gateway, **more)
        running.append(relay)
        await relay.start()
        return relay

    yield start
    for relay in running:
        await relay.kill()
