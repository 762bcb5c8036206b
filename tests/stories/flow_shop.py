"""A business system and flows that call it, for stories about flows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from tests.ports import free_port
from tests.stories.business import api_section
from tests.web_server import serving

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Shop:
    """A business system with configurable responses."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: list[str] = []
        self.asked: list[tuple[str, str, Any]] = []
        self.answer: Reply | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers["Idempotency-Key"])
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.raw_path, body))
        return await self.answer(request) if self.answer else web.json_response({"ok": True})


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    async with serving(shop.handle) as url:
        shop.url = url
        yield shop


WAIT = {"wait": {"callback": "result", "hours": 1, "expect": {"status": "success"}}}


def with_shop(shop: Shop, *flows: dict[str, Any], **section: Any) -> dict[str, Any]:
    """Return a config with these flows and the shop as their system."""
    systems = {"shop": {"title": "商店", "base_url": shop.url, "timeout": 2, **section}}
    return {"systems": systems, "flows": list(flows), "api": api_section(free_port())}
