"""The client of the embedding server: what is asked, stored, and remembered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlmodel import select

from config.customer_service import EmbeddingSettings
from models.db import Store
from models.faq import TextEmbedding
from services.messaging.http_client import HttpClient
from services.support import embeddings
from services.support.embeddings import EmbeddingClient
from tests.services.clock import Clock
from tests.services.model_server import ModelServer, model_server

__all__ = ["model_server"]


@pytest.fixture
def client(sqlite_store: Store, http: HttpClient, model_server: ModelServer, clock: Clock) -> EmbeddingClient:
    return other_client(sqlite_store, http, model_server, clock)


def other_client(store: Store, http: HttpClient, server: ModelServer, clock: Clock, **values: Any) -> EmbeddingClient:
    server.answer = embedded
    fields = {"base_url": server.url, "model": "m", "key": "sk-1", "timeout": 60, **values}
    return EmbeddingClient(store, http, EmbeddingSettings(**fields), clock)


def embedded(body: dict[str, Any]) -> Any:
    """A vector [1, length] for each text, in reverse order; the order is that of the indices."""
    rows = [{"index": at, "embedding": [1.0, len(text)]} for at, text in enumerate(body["input"])]
    return {"data": rows[::-1]}


def asked(server: ModelServer) -> list[list[str]]:
    return [body["input"] for _, _, body in server.requests]


def unit(*texts: str) -> Any:
    rows = np.array([[1.0, len(text)] for text in texts], dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# ---- listed texts ----


async def test_only_unknown_texts_are_asked(client: EmbeddingClient, model_server: ModelServer) -> None:
    first = await client.of_listed(["a", "bb", "a"])
    assert first is not None and np.allclose(first, unit("a", "bb", "a"))
    ((path, key, body),) = model_server.requests
    assert (path, key) == ("/v1/embeddings", "Bearer sk-1")
    assert body == {"model": "m", "input": ["a", "bb"], "encoding_format": "float"}
    again = await client.of_listed(["ccc", "bb"])
    assert again is not None and np.allclose(again, unit("ccc", "bb"))
    assert asked(model_server) == [["a", "bb"], ["ccc"]]
    assert again.dtype == np.float32


async def test_embeddings_are_stored_by_model(
    client: EmbeddingClient, model_server: ModelServer, sqlite_store: Store, http: HttpClient, clock: Clock
) -> None:
    await client.of_listed(["a"])
    (row,) = await sqlite_store.read(lambda s: s.exec(select(TextEmbedding)).all())
    assert row.created_at == clock.now and np.allclose(np.frombuffer(row.vector, dtype="<f4"), unit("a")[0])
    same, other = (other_client(sqlite_store, http, model_server, clock, model=model, key="") for model in ("m", "n"))
    await same.of_listed(["a"])
    assert len(model_server.requests) == 1
    await other.of_listed(["a"])
    assert len(model_server.requests) == 2 and model_server.requests[1][1] == ""
    assert client.model == same.model != other.model


async def test_many_texts_are_asked_in_batches(client: EmbeddingClient, model_server: ModelServer) -> None:
    texts = [f"{number:04}" + "x" * (number % 7) for number in range(70)]
    vectors = await client.of_listed(texts)
    assert vectors is not None and np.allclose(vectors, unit(*texts))
    sizes = [len(batch) for batch in asked(model_server)]
    assert sizes == [64, 6]
    assert await client.of_listed(texts) is not None
    assert len(model_server.requests) == 2


async def test_long_text_is_cut(client: EmbeddingClient, model_server: ModelServer) -> None:
    await client.of_listed(["x" * 2001])
    assert asked(model_server) == [["x" * 2000]]


async def test_embeddings_received_before_a_failure_are_stored(
    client: EmbeddingClient, model_server: ModelServer
) -> None:
    def fails_later(body: dict[str, Any]) -> Any:
        return embedded(body) if len(model_server.requests) == 1 else {}

    model_server.answer = fails_later
    texts = [f"{number:03}" for number in range(65)]
    assert await client.of_listed(texts) is None
    model_server.answer = embedded
    assert await client.of_listed(texts) is not None
    assert asked(model_server)[2] == ["064"]


async def test_vectors_of_different_lengths_are_not_combined(
    client: EmbeddingClient, model_server: ModelServer
) -> None:
    await client.of_listed(["a"])
    model_server.answer = lambda body: {"data": [{"index": 0, "embedding": [1.0, 2.0, 3.0]}]}
    assert await client.of_listed(["a", "b"]) is None
    assert await client.of_listed(["b"]) is not None


@pytest.mark.parametrize(
    "data",
    [
        [],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}],
        [{"index": 0, "embedding": 1.0}],
        [{"index": 0, "embedding": [float("nan"), 1.0]}],
        [{"index": 0, "embedding": ["x"]}],
        [{"embedding": [1.0]}],
        None,
    ],
)
async def test_malformed_answer_is_a_failure(client: EmbeddingClient, model_server: ModelServer, data: Any) -> None:
    model_server.answer = lambda _: {"data": data}
    assert await client.of_listed(["a"]) is None
    model_server.answer = lambda _: {"data": [{"index": "0", "embedding": [0.0, 0.0]}]}
    vectors = await client.of_listed(["a"])
    assert vectors is not None and vectors.tolist() == [[0.0, 0.0]]


# ---- questions ----


async def test_question_is_remembered(client: EmbeddingClient, model_server: ModelServer) -> None:
    for _ in range(2):
        vector = await client.of_question("几点关门")
        assert vector is not None and np.allclose(vector, unit("几点关门"))
    assert asked(model_server) == [["几点关门"]]


async def test_least_recently_asked_question_is_forgotten(
    client: EmbeddingClient, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert embeddings.RECENT == 1000
    monkeypatch.setattr(embeddings, "RECENT", 2)
    for text in ("a", "b", "a", "c", "a", "b"):
        assert await client.of_question(text) is not None
    assert asked(model_server) == [["a"], ["b"], ["c"], ["b"]]


async def test_failing_server_is_left_alone_for_a_while(
    client: EmbeddingClient, model_server: ModelServer, clock: Clock
) -> None:
    assert await client.of_question("known") is not None
    model_server.status = 500
    assert [await client.of_question("a") for _ in range(5)] == [None] * 5
    assert len(model_server.requests) == 1 + 3
    assert await client.of_question("known") is not None
    model_server.status = 200
    clock.now += 31
    assert await client.of_question("a") is not None


async def test_answer_ends_a_row_of_failures(client: EmbeddingClient, model_server: ModelServer) -> None:
    for number, status in enumerate((500, 500, 200, 500, 500, 200)):
        model_server.status = status
        assert (await client.of_question(f"{number}") is not None) is (status == 200)


async def test_slow_server_is_not_waited_for(
    sqlite_store: Store, http: HttpClient, model_server: ModelServer, clock: Clock
) -> None:
    model_server.open.clear()
    assert await other_client(sqlite_store, http, model_server, clock, timeout=0.001).of_question("a") is None


async def test_nothing_is_asked_without_a_server(sqlite_store: Store, http: HttpClient, clock: Clock) -> None:
    off = EmbeddingClient(sqlite_store, http, EmbeddingSettings(), clock)
    assert not off.is_on
    assert await off.of_question("a") is None
    assert http._session is None
