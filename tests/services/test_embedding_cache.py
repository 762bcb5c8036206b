"""Repeated questions are answered from the embedding cache."""

from __future__ import annotations

import time

from aiohttp import web

from config.customer_service import EmbeddingSettings
from models.db import Store
from services.messaging.http_client import HttpClient
from services.support.embeddings import EmbeddingClient


async def test_repeated_question_uses_the_cache(store: Store) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        texts = (await request.json())["input"]
        asked.extend(texts)
        return web.json_response({"data": [{"index": n, "embedding": [1.0, len(t)]} for n, t in enumerate(texts)]})

    app = web.Application()
    app.add_routes([web.post("/v1/embeddings", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    http = HttpClient()
    settings = EmbeddingSettings(base_url=f"http://127.0.0.1:{runner.addresses[0][1]}/v1", model="m", timeout=30)
    client = EmbeddingClient(store, http, settings, time.time)
    try:
        first = await client.of_question("几点关门")
        again = await client.of_question("几点关门")
        assert first is not None
        assert again is not None
        assert (first == again).all()
        assert asked == ["几点关门"]
        await client.of_question("几点开店")
        assert asked == ["几点关门", "几点开店"]
        await runner.cleanup()
        assert await client.of_question("几点关门") is not None, "known, although the server is away"
        assert await client.of_question("几点开门") is None
    finally:
        await http.close()
        await runner.cleanup()
