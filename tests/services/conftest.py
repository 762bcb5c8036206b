"""Fixtures: databases for the services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from models.db import Store
from services.messaging.http_client import HttpClient
from tests.databases import database, make_sqlite, postgres
from tests.services.clock import Clock
from tests.services.parts import open_parts, parts
from tests.waiting import until

__all__ = ["database", "open_parts", "parts", "postgres", "until"]
OpenStore = Callable[[], Awaitable[Store]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def unretrieved() -> AsyncIterator[list[str]]:
    """What asyncio reports to its exception handler, such as futures whose exceptions were never retrieved."""
    loop, reports = asyncio.get_running_loop(), list[str]()
    loop.set_exception_handler(lambda _loop, context: reports.append(context["message"]))
    yield reports
    loop.set_exception_handler(None)


@pytest.fixture
async def open_store(database: str) -> AsyncIterator[OpenStore]:
    """Open the test's database, as often as needed."""
    stores: list[Store] = []

    async def opened() -> Store:
        store = Store(database)
        stores.append(store)
        await store.open()
        return store

    yield opened
    for store in stores:
        await store.close()


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    return await open_store()


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store for tests that do not depend on the database."""
    store = Store(make_sqlite(tmp_path / "wxbot.db"))
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    """A client for HTTP calls."""
    client = HttpClient()
    yield client
    await client.close()
