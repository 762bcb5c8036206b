"""Output of `make keywords` about similar questions: the threshold for offering them, and which are similar to a
sentence."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence

from config import Config
from models.db import Store
from services.messaging.http_client import HttpClient
from services.support.embedding_index import EmbeddingIndex
from services.support.embeddings import EmbeddingClient
from services.support.faq import FaqIndex, SimilarEntry, load
from services.support.knowledge import load as load_knowledge


async def report(config: Config, sentence: str) -> list[str]:
    """Return lines for the terminal; `sentence` may be empty. Raises ConfigError for unreadable files."""
    service = config.customer_service
    entries, passages = load(service.faq), load_knowledge(service.knowledge)
    faq = FaqIndex([*entries, *passages])
    lines = [f"{len(entries)} questions, {len(passages)} passages; by words near from {faq.threshold:.3f} on"]
    if sentence:
        lines += _shown("words", faq.nearest(sentence))
    if not service.embeddings.base_url or not faq.entries:
        return lines
    http = HttpClient()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/embeddings.db")
        await store.open()
        try:
            client = EmbeddingClient(store, http, service.embeddings, time.time)
            return lines + await _by_meaning(client, faq, sentence)
        finally:
            await store.close()
            await http.close()


async def _by_meaning(client: EmbeddingClient, faq: FaqIndex, sentence: str) -> list[str]:
    vectors = await client.of_listed(EmbeddingIndex.texts(faq))
    if vectors is None:
        return [f"{client.model}: the server does not answer"]
    index = EmbeddingIndex(faq, vectors)
    lines = [f"{client.model}: near from {index.threshold:.3f} on"]
    asked = await client.of_question(sentence) if sentence else None
    return lines + (_shown("meaning", index.nearest(sentence, asked)) if asked is not None else [])


def _shown(by: str, nearest: Sequence[SimilarEntry]) -> list[str]:
    return [f"by {by}: {match.score:.3f} {match.question}" for match in nearest] or [f"by {by}: nothing is near"]
