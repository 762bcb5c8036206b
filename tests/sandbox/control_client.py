"""A client of the control API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

import sandbox
from sandbox import Sandbox
from tests.sandbox.conftest import ACCOUNT
from tests.waiting import SECONDS

Json = dict[str, Any]


class Page:
    """A person at the page."""

    def __init__(self, running: Sandbox, session: aiohttp.ClientSession) -> None:
        self.running = running
        self.session = session

    async def __call__(self, method: str, path: str, fields: Any = None, *, status: int = 200, **more: Any) -> Json:
        """Send a request and check the status; errors must have the common format."""
        async with self.session.request(method, f"{self.running.url}/api{path}", json=fields, **more) as answer:
            body: Json = await answer.json()
            assert answer.status == status, body
            if status >= 400:
                assert set(body) == {"error"}
                assert set(body["error"]) == {"code", "message"}
                assert body["error"]["code"] == status
            return body

    @asynccontextmanager
    async def live(self, path: str) -> AsyncIterator[AsyncIterator[Json]]:
        """Read an event stream."""
        headers = {"Accept": "text/event-stream"}
        async with self.session.get(f"{self.running.url}/api{path}", headers=headers) as answer:
            assert answer.content_type == "text/event-stream"
            await answer.content.readline()

            async def items() -> AsyncIterator[Json]:
                async for line in answer.content:
                    if line.startswith(b"data: "):
                        yield json.loads(line[6:])

            yield items()


async def first(items: AsyncIterator[Json], **wanted: Any) -> Json:
    """Return the next item with these values, skipping others."""
    async with asyncio.timeout(SECONDS):
        async for item in items:
            if wanted.items() <= item.items():
                return item
    raise EOFError


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    running = await sandbox.start([ACCOUNT], port=0, token="insecure_x", seed=1)
    async with aiohttp.ClientSession() as session:
        yield Page(running, session)
    await running.stop()
