"""Embeddings of texts from an OpenAI-compatible `/embeddings` server; those of listed texts are stored."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from sqlmodel import Session, col, select

from config.customer_service import EmbeddingSettings
from models.db import Store
from models.faq import TextEmbedding
from services.clock import Clock
from services.messaging.http_client import HttpClient, read_bounded
from services.support.circuit_breaker import CircuitBreaker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]  # shape (texts, dimensions), rows of length 1

log = logging.getLogger(__name__)
BATCH: Final = 64  # texts in one request
TIMEOUT: Final = 60.0  # seconds for a batch of listed texts
MAX_TEXT: Final = 2000  # characters of a text that are sent
RECENT: Final = 1000  # questions whose embeddings are kept in memory


class EmbeddingClient:
    """Client of the embedding server. Failures of the server return None."""

    def __init__(self, store: Store, http: HttpClient, settings: EmbeddingSettings, clock: Clock) -> None:
        self._store = store
        self._http = http
        self._settings = settings
        self._clock = clock
        self._breaker = CircuitBreaker(clock)
        self._recent: OrderedDict[str, Vectors] = OrderedDict()  # of questions asked lately, by key

    @property
    def is_on(self) -> bool:
        """Whether a server is configured."""
        return bool(self._settings.base_url)

    @property
    def model(self) -> str:
        """The identity of the model and its server."""
        return f"{self._settings.base_url} {self._settings.model}"

    async def of_question(self, text: str) -> Vectors | None:
        """Return the embedding of a question, one row; None if the server is slow or fails."""
        if not self.is_on:
            return None
        key = self._key(text)
        if key in self._recent:
            self._recent.move_to_end(key)
            return self._recent[key]
        if self._breaker.is_open:
            return None
        vector = await self._ask([text], self._settings.timeout)
        if vector is not None:
            self._recent[key] = vector
            if len(self._recent) > RECENT:
                self._recent.popitem(last=False)
        return vector

    async def of_listed(self, texts: Sequence[str]) -> Vectors | None:
        """Return the embeddings of listed texts, in order, requesting only unknown ones; None if the server fails."""
        import numpy as np

        keys = [self._key(text) for text in texts]
        stored = await self._store.read(partial(_stored, keys=keys))
        missing = [(key, text) for key, text in dict(zip(keys, texts, strict=True)).items() if key not in stored]
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            vectors = await self._ask([text for _, text in batch], TIMEOUT)
            if vectors is None:
                return None
            new = {key: vector.tobytes() for (key, _), vector in zip(batch, vectors, strict=True)}
            await self._store.write(partial(_store, new=new, now=self._clock()))
            stored |= new
        rows = [np.frombuffer(stored[key], dtype="<f4") for key in keys]
        if len({len(row) for row in rows}) != 1:
            log.warning("the stored embeddings of this model differ in length")
            return None
        return np.stack(rows)

    def _key(self, text: str) -> str:
        return hashlib.sha256(f"{self._settings.model}\0{text}".encode()).hexdigest()

    async def _ask(self, texts: Sequence[str], timeout: float) -> Vectors | None:
        try:
            async with asyncio.timeout(timeout):
                vectors = await self._post(texts)
        except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError, RecursionError) as error:
            log.warning("the request to the embedding server failed: %s", type(error).__name__)
            self._breaker.failed()
            return None
        self._breaker.succeeded()
        return vectors

    async def _post(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        settings = self._settings
        body = {"model": settings.model, "input": [text[:MAX_TEXT] for text in texts], "encoding_format": "float"}
        headers = {"Authorization": f"Bearer {settings.key}"} if settings.key else {}
        url = f"{settings.base_url.rstrip('/')}/embeddings"
        async with self._http.session.post(url, json=body, headers=headers) as response:
            response.raise_for_status()
            data: Any = json.loads(await read_bounded(response, 32 * 1024 * 1024))
        rows = sorted(data["data"], key=lambda row: int(row["index"]))
        vectors = np.array([row["embedding"] for row in rows], dtype="<f4")
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise ValueError("expected one vector per text")
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Vectors = (vectors / np.maximum(norms, 1e-9)).astype("<f4")
        return unit


def _stored(session: Session, keys: Sequence[str]) -> dict[str, bytes]:
    vectors: dict[str, bytes] = {}
    for start in range(0, len(keys), 500):
        rows = session.exec(select(TextEmbedding).where(col(TextEmbedding.key).in_(keys[start : start + 500])))
        vectors |= {row.key: row.vector for row in rows}
    return vectors


def _store(session: Session, new: dict[str, bytes], now: float) -> None:
    for key, vector in new.items():
        session.merge(TextEmbedding(key=key, vector=vector, created_at=now))
