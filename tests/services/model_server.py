"""An HTTP server in the test's process in place of a model server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer


class ModelServer:
    """`answer` makes the JSON of the next responses; `status`: their code; `open`: cleared, they wait."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any]] = []  # path, Authorization, body
        self.answer: Callable[[Any], Any] = lambda _: {}
        self.status = 200
        self.raw: bytes | None = None  # instead of JSON
        self.open = asyncio.Event()
        self.open.set()
        app = web.Application()
        app.router.add_post("/{path:.*}", self._handle)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        """The base URL, with a slash at its end."""
        return str(self.server.make_url("/v1/"))

    async def _handle(self, request: web.Request) -> web.Response:
        body: Any
        if request.content_type == "application/json":
            body = await request.json()
        else:
            form = await request.post()
            body = {
                name: (value.filename, value.file.read()) if isinstance(value, web.FileField) else value
                for name, value in form.items()
            }
        self.requests.append((request.path, request.headers.get("Authorization", ""), body))
        await self.open.wait()
        if self.raw is not None:
            return web.Response(body=self.raw, status=self.status, content_type="application/json")
        return web.json_response(self.answer(body), status=self.status)


@pytest.fixture
async def model_server() -> AsyncIterator[ModelServer]:
    server = ModelServer()
    async with server.server:
        yield server
        server.open.set()
