"""Fixtures: databases for the services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from models.db import Store
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
