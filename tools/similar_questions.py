"""Output of `make keywords` about similar questions: the threshold for offering them, and which are similar to a
sentence."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence

from config import Config
from config.language import Language
from models.db import Store
from services.messaging.http_client import HttpClient
from services.support.embedding_index import EmbeddingIndex
from services.support.embeddings import EmbeddingClient
from services.support.faq import FaqIndex, SimilarEntry, load
from services.support.knowledge import load as load_knowledge
from tools.words import text


async def report(config: Config, sentence: str) -> list[str]:
    """Return lines for the terminal; `sentence` may be empty. Raises ConfigError for unreadable files."""
    service, language = config.customer_service, config.language
    entries, passages = load(service.faq), load_knowledge(service.knowledge)
    faq = FaqIndex([*entries, *passages])
    counts = {"questions": len(entries), "passages": len(passages), "threshold": faq.threshold}
    lines = [text("questions", language, **counts)]
    if sentence:
        lines += _shown("words", faq.nearest(sentence), language)
    if not service.embeddings.base_url or not faq.entries:
        return lines
    http = HttpClient()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/embeddings.db")
        await store.open()
        try:
            client = EmbeddingClient(store, http, service.embeddings, time.time)
            return lines + await _by_meaning(client, faq, sentence, language)
        finally:
            await store.close()
            await http.close()


async def _by_meaning(client: EmbeddingClient, faq: FaqIndex, sentence: str, language: Language) -> list[str]:
    vectors = await client.of_listed(EmbeddingIndex.texts(faq))
    if vectors is None:
        return [text("no_answer", language, model=client.model)]
    index = EmbeddingIndex(faq, vectors)
    lines = [text("model", language, model=client.model, threshold=index.threshold)]
    vector = await client.of_question(sentence) if sentence else None
    return lines + (_shown("meaning", index.nearest(sentence, vector), language) if vector is not None else [])


def _shown(measure: str, nearest: Sequence[SimilarEntry], language: Language) -> list[str]:
    measure_name = text(measure, language)
    found = [text("near", language, by=measure_name, score=match.score, question=match.question) for match in nearest]
    return found or [text("nothing", language, by=measure_name)]
