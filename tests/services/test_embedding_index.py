"""Similarity by embeddings: vectors made by the test, in which texts of one subject point in one direction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from config.customer_service import EmbeddingSettings
from models.db import Store
from services.messaging.http_client import HttpClient
from services.support.chatter import CHATTER
from services.support.embedding_index import EmbeddingIndex
from services.support.embeddings import EmbeddingClient
from services.support.faq import Entry, FaqIndex
from services.support.faq_entries import FaqEntries
from services.support.knowledge import Passage
from services.support.similar_questions import SimilarQuestions
from tests.services.clock import Clock
from tests.services.model_server import ModelServer, model_server

__all__ = ["model_server"]
SIZE = 64
SUBJECTS = ("莓浆", "驼峰", "箭卫", "锣鼓")  # characters that name the same subject; no chatter has them
ENTRIES = [
    Entry(questions=["蓝莓", "蓝莓酱"], answer="冷藏蓝莓。"),
    Entry(questions=["骆驼"], answer="骆驼在园里。"),
    Entry(questions=["火箭"], answer="火箭模型。"),
]
PASSAGE = Passage(questions=["锣"], answer="锣鼓在二楼。", title="锣")


def vector(text: str) -> Any:
    """Mostly the subjects of the text, a little of what all texts share, and a little that is its own."""
    random = np.random.default_rng(sum(map(ord, text)))
    made = 0.3 * random.standard_normal(SIZE) / np.sqrt(SIZE)
    made[0] += 1.0
    for at, subject in enumerate(SUBJECTS):
        made[1 + at] += 1.5 * any(character in subject for character in text)
    return (made / np.linalg.norm(made)).astype(np.float32)


def vectors(*texts: str) -> Any:
    return np.stack([vector(text) for text in texts])


def index_of(*entries: Entry) -> EmbeddingIndex:
    faq = FaqIndex(list(entries))
    return EmbeddingIndex(faq, vectors(*EmbeddingIndex.texts(faq)))


def test_texts_are_questions_answers_and_chatter() -> None:
    """A passage's heading belongs to its text."""
    texts = EmbeddingIndex.texts(FaqIndex([*ENTRIES, PASSAGE]))
    assert texts[:5] == ["蓝莓", "蓝莓酱", "骆驼", "火箭", "锣"]
    assert texts[5:9] == ["冷藏蓝莓。", "骆驼在园里。", "火箭模型。", "锣\n锣鼓在二楼。"]
    assert texts[9:] == list(CHATTER)


def test_entry_of_the_same_subject_is_found_without_shared_words() -> None:
    index = index_of(*ENTRIES)
    assert index.dimensions == SIZE
    for text, entry in (("浆果", ENTRIES[0]), ("驼峰", ENTRIES[1]), ("卫星", ENTRIES[2])):
        found = index.nearest(text, vectors(text))
        assert [match.entry for match in found] == [entry], text
        assert found[0].score >= index.threshold


def test_most_talk_about_other_subjects_is_below_the_threshold() -> None:
    index = index_of(*ENTRIES)
    talk = ["".join(chr(0x4E00 + (n * 7919 + at * 104729) % 20000) for at in range(6)) for n in range(200)]
    near = [text for text in talk if index.nearest(text, vectors(text))]
    assert 0.05 < len(near) / len(talk) < 0.25
    known = [text for text in CHATTER if index.nearest(text, vectors(text))]
    assert len(known) / len(CHATTER) < 0.05, "what is known is rejected more surely"


def test_question_named_is_the_nearest_of_its_entry() -> None:
    index = index_of(*ENTRIES)
    for question in ENTRIES[0].questions:
        assert index.nearest(question, vectors(question))[0].question == question


def test_question_about_two_subjects_finds_both_best_first() -> None:
    index = index_of(*ENTRIES)
    found = index.nearest("骆驼和卫星", vectors("骆驼和卫星"))
    assert [match.entry for match in found] == ENTRIES[1:], "the word 骆驼 is shared with one of them"
    assert found[0].score > found[1].score
    assert len(index.nearest("骆驼和卫星", vectors("骆驼和卫星"), 1)) == 1
    three = index.nearest("浆果驼峰卫星", vectors("浆果驼峰卫星"))
    assert {id(match.entry) for match in three} == {id(entry) for entry in ENTRIES}


def test_words_add_to_the_score() -> None:
    index = index_of(*ENTRIES)
    (with_word,) = index.nearest("蓝莓", vectors("浆果"))
    (without,) = index.nearest("浆果", vectors("浆果"))
    assert with_word.score > without.score + 0.1


def test_similarity_to_chatter_is_subtracted() -> None:
    """What is asked is the subject's own vector, once with chatter in the same direction."""
    faq = FaqIndex(ENTRIES)
    texts = EmbeddingIndex.texts(faq)
    usual = vectors(*texts)
    close = usual.copy()
    close[-1] = vector("浆果")
    scores = [EmbeddingIndex(faq, item).nearest("浆果", vectors("浆果"))[0].score for item in (usual, close)]
    assert scores[0] > scores[1] + 0.05


def test_passage_is_found_by_its_text_alone() -> None:
    """Its heading may say something else; for a question, both the question and the answer count."""
    heading = Passage(questions=["第三章"], answer="锣鼓在二楼。", title="第三章")
    question = Entry(questions=["第三章"], answer="锣鼓在二楼。")
    scores = []
    for entry in (heading, question):
        faq = FaqIndex([*ENTRIES, entry])
        texts = EmbeddingIndex.texts(faq)
        made = vectors(*texts)
        made[len(faq.entries) + 1 + 3] = vector("锣鼓在二楼。")  # of both, without the heading
        index = EmbeddingIndex(faq, made)
        found = index._scores("鼓声", _asked(index, "鼓声"), 0.0)
        scores.append(float(found[3]))
    assert scores[0] > scores[1] + 0.1


def test_question_weighs_more_than_answer() -> None:
    """Two entries of opposite directions, both at right angles to all chatter."""
    entries = [Entry(questions=["骆驼"], answer="甲。"), Entry(questions=["火箭"], answer="乙。")]
    question, answer, other = np.eye(3, dtype=np.float32)
    chatter = [other, -other] * (len(CHATTER) // 2) + [np.zeros(3)] * (len(CHATTER) % 2)
    index = EmbeddingIndex(
        FaqIndex(entries), np.stack([question, -question, answer, -answer, *chatter]).astype(np.float32)
    )

    def best(*direction: float) -> tuple[str, float]:
        found = index.nearest("窗户", np.array([direction], dtype=np.float32))[0]
        return found.question, round(found.score, 3)

    assert best(1, 0, 0) == ("骆驼", round(1 / 1.8, 3))
    assert best(0, 1, 0) == ("骆驼", round(0.8 / 1.8, 3))
    assert best(0.6, 0.8, 0) == ("骆驼", round((0.6 + 0.64) / 1.8, 3))
    assert best(-0.6, 0.8, 0) == ("骆驼", round((0.64 - 0.6) / 1.8, 3)), "an opposite question counts against the entry"
    assert best(-0.8, 0.6, 0) == ("火箭", round((0.8 - 0.48) / 1.8, 3))


def _asked(index: EmbeddingIndex, text: str) -> Any:
    moved = vector(text) - index._centre
    return moved / np.linalg.norm(moved)


# ---- with the server ----


@pytest.fixture
async def near(
    sqlite_store: Store, http: HttpClient, model_server: ModelServer, clock: Clock
) -> AsyncIterator[Callable[..., SimilarQuestions]]:
    """Make the similar questions of a FAQ, with settings of the server."""
    made: list[SimilarQuestions] = []

    def embedded(body: dict[str, Any]) -> Any:
        return {"data": [{"index": at, "embedding": vector(t).tolist()} for at, t in enumerate(body["input"])]}

    def make(*entries: Entry, **values: Any) -> SimilarQuestions:
        model_server.answer = embedded
        fields = {"base_url": model_server.url, "model": "m", "timeout": 60, **values}
        client = EmbeddingClient(sqlite_store, http, EmbeddingSettings(**fields), clock)
        made.append(SimilarQuestions(FaqEntries(sqlite_store, entries, clock), client))
        return made[-1]

    yield make
    for member in made:
        await member.close()


async def built(near: SimilarQuestions) -> None:
    assert near._building is not None
    await near._building


async def answers(near: SimilarQuestions, text: str) -> list[str]:
    return [match.entry.answer for match in await near.nearest(text)]


async def test_words_are_used_until_the_index_is_built(near: Callable[..., SimilarQuestions]) -> None:
    questions = near(*ENTRIES)
    assert await answers(questions, "浆果") == []
    await built(questions)
    assert await answers(questions, "浆果") == ["冷藏蓝莓。"]
    first = questions._building
    questions.prepare()
    assert questions._building is first, "it is built once"


async def test_index_is_prepared_once(near: Callable[..., SimilarQuestions]) -> None:
    questions = near(*ENTRIES)
    questions.prepare()
    building = questions._building
    questions.prepare()
    assert await answers(questions, "浆果") == []
    assert questions._building is building
    await built(questions)
    assert await answers(questions, "浆果") == ["冷藏蓝莓。"]


async def test_nothing_is_built_without_server_or_entries(
    near: Callable[..., SimilarQuestions], model_server: ModelServer
) -> None:
    for questions in (near(*ENTRIES, base_url="", model=""), near()):
        questions.prepare()
        assert await answers(questions, "浆果") == []
        assert questions._building is None
    assert await answers(near(*ENTRIES, base_url="", model=""), "蓝莓酱怎么卖") == ["冷藏蓝莓。"]
    assert model_server.requests == []


async def test_changed_questions_are_indexed_anew(near: Callable[..., SimilarQuestions]) -> None:
    questions = near(*ENTRIES[1:])
    questions.prepare()
    await built(questions)
    assert "冷藏蓝莓。" not in await answers(questions, "浆果")
    questions._faq_entries.configure(ENTRIES, [])
    await answers(questions, "浆果")
    await built(questions)
    assert await answers(questions, "浆果") == ["冷藏蓝莓。"]


async def test_changed_model_is_indexed_anew(near: Callable[..., SimilarQuestions], model_server: ModelServer) -> None:
    questions = near(*ENTRIES)
    questions.prepare()
    await built(questions)
    settings = questions._client._settings
    questions._client._settings = settings.model_copy(update={"model": "other"})
    assert await answers(questions, "浆果") == [], "until it is built"
    questions._client._settings = settings.model_copy(update={"model": "third"})
    await built(questions)
    assert questions._index is not None and not questions._index[1].endswith(" other"), "the model changed meanwhile"


async def test_words_are_used_if_the_server_fails(
    near: Callable[..., SimilarQuestions], model_server: ModelServer
) -> None:
    questions = near(*ENTRIES)
    questions.prepare()
    await built(questions)
    model_server.answer = lambda _: {"data": [{"index": 0, "embedding": [1.0, 0.0]}]}
    assert await answers(questions, "浆果呢") == [], "a vector of another length"
    model_server.status = 500
    assert await answers(questions, "浆果吗") == []


async def test_failed_index_is_built_at_the_next_question(
    near: Callable[..., SimilarQuestions], model_server: ModelServer
) -> None:
    questions = near(*ENTRIES)
    model_server.status = 500
    questions.prepare()
    await built(questions)
    assert questions._index is None
    model_server.status = 200
    await answers(questions, "浆果")
    await built(questions)
    assert await answers(questions, "浆果") == ["冷藏蓝莓。"]


async def test_building_ends_with_the_process(near: Callable[..., SimilarQuestions], model_server: ModelServer) -> None:
    questions = near(*ENTRIES)
    await questions.close()
    model_server.open.clear()
    questions.prepare()
    await asyncio.sleep(0)
    await questions.close()
    assert questions._building is not None and questions._building.cancelled()
