"""Fixtures: an official gateway with three contacts, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.official import OfficialGateway, Start
from tests.official_client import Client


@pytest.fixture
async def gateway(official: Start) -> OfficialGateway:
    gateway = await official()
    for name in ("甲", "乙", "丙"):
        await gateway.contact(name, name)
    return gateway


@pytest.fixture
async def client(gateway: OfficialGateway) -> AsyncIterator[Client]:
    client = Client.of(gateway)
    yield client
    client.close()
