"""Finds similar listed questions by embeddings if a server answers in time, else by words."""

from __future__ import annotations

import asyncio
import logging

from services.support.embedding_index import EmbeddingIndex
from services.support.embeddings import EmbeddingClient
from services.support.faq import FaqIndex, SimilarEntry
from services.support.faq_entries import FaqEntries

log = logging.getLogger(__name__)


class SimilarQuestions:
    """Caches the embedding index, which is built in the background after each change of the questions."""

    def __init__(self, faq_entries: FaqEntries, client: EmbeddingClient) -> None:
        self._faq_entries = faq_entries
        self._client = client
        self._index: tuple[FaqIndex, str, EmbeddingIndex] | None = (
            None  # with the FAQ and the model that it was built for
        )
        self._building: asyncio.Task[None] | None = None

    async def nearest(self, text: str) -> list[SimilarEntry]:
        """Return the most similar entries, best first."""
        faq = self._faq_entries.index
        if not self._client.is_on or not faq.entries:
            return faq.nearest(text)
        index = self._ready(faq)
        if index is None:
            self._build_soon(faq)
            return faq.nearest(text)
        vector = await self._client.of_question(text)
        if vector is None or vector.shape[1] != index.dimensions:
            return faq.nearest(text)
        return index.nearest(text, vector)

    def prepare(self) -> None:
        """Begin to build the index before the first question needs it."""
        faq = self._faq_entries.index
        if self._client.is_on and faq.entries and self._ready(faq) is None:
            self._build_soon(faq)

    def _ready(self, faq: FaqIndex) -> EmbeddingIndex | None:
        if self._index is None or self._index[:2] != (faq, self._client.model):
            return None
        return self._index[2]

    def _build_soon(self, faq: FaqIndex) -> None:
        if self._building is None or self._building.done():
            self._building = asyncio.get_running_loop().create_task(self._build(faq), name="embed questions")

    async def _build(self, faq: FaqIndex) -> None:
        model = self._client.model
        vectors = await self._client.of_listed(EmbeddingIndex.texts(faq))
        if vectors is not None and model == self._client.model:
            index = await asyncio.to_thread(EmbeddingIndex, faq, vectors)
            self._index = (faq, model, index)
            log.info("%s questions embedded; similarity threshold %.3f", len(faq), index.threshold)

    async def close(self) -> None:
        """Cancel building."""
        if self._building is not None:
            self._building.cancel()
            await asyncio.gather(self._building, return_exceptions=True)
