"""Measures how well similar questions are found: by words, and with `--url` by embeddings as well.

`python -m benchmarks.faq [--url http://127.0.0.1:8799/v1 --model multilingual-e5-small]` (`make embeddings` starts that
server). Of the reworded questions: `first` the right entry stands first, `menu` it is among those offered, `wrong` a
menu without it, `declined` no menu. `off_topic`: how many of the off-topic ones get a menu; a courtesy gets none. The
threshold of each set stands behind its name.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from config.customer_service import EmbeddingSettings
from models.db import Store
from services.messaging.http_client import HttpClient
from services.support.courtesies import courtesy_in
from services.support.embedding_index import EmbeddingIndex
from services.support.embeddings import EmbeddingClient
from services.support.faq import Entry, FaqIndex, SimilarEntry, load

HERE = Path(__file__).parent
TUNED = ("shop", "hotel", "gym", "courier")
UNSEEN = ("dentist", "property", "travel")  # nothing was tuned on them
COLUMNS = ("first", "menu", "wrong", "declined", "off_topic")


@dataclass(frozen=True)
class Questions:
    """A set: the FAQ, and what is asked of it with the first question of the right entry."""

    faq: FaqIndex
    reworded: list[tuple[str, str]]
    off_topic: list[str]


def read(name: str) -> Questions:
    """A set of questions; the shop's entries are those that ship."""
    file = HERE / "faq_questions.yaml" if name == "shop" else HERE / "questions" / f"{name}.yaml"
    data: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    listed = data.get("entries")
    entries = [Entry(**member) for member in listed] if listed else load(str(HERE.parent / "faq.yaml"))
    reworded = [(text, first) for first, texts in data["reworded"].items() for text in texts]
    return Questions(FaqIndex(entries), reworded, data["off_topic"])


async def measure(asked: Questions, nearest: Callable[[str], Awaitable[list[SimilarEntry]]]) -> dict[str, float]:
    """The shares, and the milliseconds that the middle question took."""
    counts, took = dict.fromkeys(COLUMNS[:4], 0), []
    for text, first in asked.reworded:
        began = time.perf_counter()
        offered = [near.entry.questions[0] for near in await nearest(text)]
        took.append(time.perf_counter() - began)
        counts["first"] += offered[:1] == [first]
        counts["menu"] += first in offered
        counts["wrong"] += bool(offered) and first not in offered
        counts["declined"] += not offered
    strays = [bool(await nearest(text)) for text in asked.off_topic if courtesy_in(text) is None]
    shares = {name: number / len(asked.reworded) for name, number in counts.items()}
    return {**shares, "off_topic": sum(strays) / len(asked.off_topic), "ms": statistics.median(took) * 1000}


def by_words(faq: FaqIndex) -> Callable[[str], Awaitable[list[SimilarEntry]]]:
    """Return the search without a server."""

    async def nearest(text: str) -> list[SimilarEntry]:
        return faq.nearest(text)

    return nearest


@asynccontextmanager
async def _client(url: str, model: str) -> Any:
    http = HttpClient()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/embeddings.db")
        await store.open()
        try:
            settings = EmbeddingSettings(base_url=url, model=model, timeout=30)
            yield EmbeddingClient(store, http, settings, time.time)
        finally:
            await store.close()
            await http.close()


def by_meaning(client: EmbeddingClient, index: EmbeddingIndex, inside: list[float]) -> Any:
    """Return the search with a server; `inside`: milliseconds of CPU of this process for each question."""

    async def nearest(text: str) -> list[SimilarEntry]:
        began = time.process_time()
        vector = await client.of_question(text)
        if vector is None:
            raise SystemExit("the server does not answer")
        found = index.nearest(text, vector)
        inside.append((time.process_time() - began) * 1000)
        return found

    return nearest


def line(name: str, row: dict[str, float]) -> str:
    """A row of a Markdown table."""
    return f"| {name} | " + " | ".join(f"{row[column]:.2f}" for column in COLUMNS) + f" | {row['ms']:.1f} |"


def head() -> Iterator[str]:
    """The head of the tables."""
    yield "|  | " + " | ".join((*COLUMNS, "p50 ms")) + " |"
    yield "| --- " * (len(COLUMNS) + 2) + "|"


async def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faq", description=__doc__)
    parser.add_argument("--url", default="")
    parser.add_argument("--model", default="multilingual-e5-small")
    parser.add_argument("--sets", nargs="+", default=[*TUNED, *UNSEEN])
    arguments = parser.parse_args()
    print("**by words**\n", *head(), sep="\n")
    for name in arguments.sets:
        asked = read(name)
        print(line(f"{name} ({asked.faq.threshold:.3f})", await measure(asked, by_words(asked.faq))))
    if not arguments.url:
        return
    print(f"\n**by meaning and words, {arguments.model}**\n", *head(), sep="\n")
    async with _client(arguments.url, arguments.model) as client:
        inside: list[float] = []
        for name in arguments.sets:
            asked = read(name)
            vectors = await client.of_listed(EmbeddingIndex.texts(asked.faq))
            if vectors is None:
                raise SystemExit("the server does not answer")
            index = EmbeddingIndex(asked.faq, vectors)
            print(line(f"{name} ({index.threshold:.3f})", await measure(asked, by_meaning(client, index, inside))))
        print(f"\nCPU without the server's: {statistics.median(inside):.1f} ms at the median (target: 15)")


if __name__ == "__main__":
    asyncio.run(main())
