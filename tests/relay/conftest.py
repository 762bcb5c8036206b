"""Fixtures: relays in front of official gateways."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from relay.journal import Journal
from tests.official import OfficialGateway, official
from tests.relay.process import RelayProcess

__all__ = ["official"]

Relays = Callable[..., Awaitable[RelayProcess]]


@pytest_asyncio.fixture
async def relays(tmp_path: Path) -> AsyncIterator[Relays]:
    """Return a function that starts a relay for a gateway, and waits until it has it; it is stopped after the test."""
    running: list[RelayProcess] = []

    async def start(gateway: OfficialGateway, *, connects: bool = True, **more: Any) -> RelayProcess:
        relay = RelayProcess(tmp_path, gateway, **more)
        running.append(relay)
        if connects:
            await relay.start()
        else:
            relay.process = await relay.spawn()
        return relay

    yield start
    for relay in running:
        await relay.kill()


@pytest_asyncio.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """An empty journal."""
    opened = Journal(tmp_path / "journal.db")
    await opened.open()
    yield opened
    await opened.close()
