"""The FAQ: exact matches are answered, similar questions are found by words. No I/O.

Similarity by words: a text is reduced to its topic, without the words that any question may have (what, when, can I),
and that to its characters, pairs of characters and concepts (synonyms.py), weighted by how rare they are among the
entries. The score combines the similarity to a question of the entry (cosine and coverage) with the coverage by its
answer. No lexical measure is good enough to answer without asking (benchmarks/faq.py measures it), so similar questions
are only offered as a menu.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from config.error_messages import Origin, one_line
from config.section import NonEmpty, Section
from services.linear_pattern import LinearPattern
from services.support.chatter import CHATTER
from services.support.synonyms import concepts
from services.text import simplified
from yaml_file import ConfigError, read

MIN_THRESHOLD = 0.12
CHATTER_QUANTILE = 0.9  # share of the chatter that must be below the threshold; measured by benchmarks/faq.py
COSINE_WEIGHT = 0.7  # in the similarity to a question; the rest is the weight of the coverage
ANSWER_WEIGHT = 0.7  # of the coverage by the answer, relative to the similarity to a question
CONCEPT_WEIGHT = 1.5  # relative to a character
MAX_OFFERED = 3
MIN_SHARE_OF_BEST = 0.2  # entries with a lower share of the best score are not offered
PASSAGE_WEIGHT = 0.3  # the score of a passage that contains all words of the question
_POLITE = LinearPattern(  # a long row of 吗 inside a text would take quadratic time
    r"^(您好|你好|请问|想问|我想问|想咨询|咨询|问|麻烦|一下|下)+|(吗|呢|啊|呀|吧|哦|谢谢您?)+$"
)
# Words that do not identify a topic. Words that are part of topic words, such as 会 in 会员, are excluded.
_COMMON = """
怎么样 怎么办 怎么 怎样 咋样 咋办 咋 如何 什么时候 啥时候 什么 为什么 为何 为啥 啥 哪里 哪儿 哪个 哪些 哪 谁
多少 多久 多长时间 几点 几天 几 能不能 可不可以 是不是 有没有 要不要 会不会 可否 能否 是否
可以 能够 需要 应该 想要 能 要 想 帮忙 帮我 给我 一下 知道 告诉 请问 麻烦 你好 您好 好的 谢谢
我们 你们 他们 咱们 我 你 您 他 她 它 这个 那个 这些 那些 这里 那里 这样 那样 这 那 自己 大家
的 了 吗 呢 吧 啊 呀 哦 嘛 么 啦 是 有 就 都 也 又 很 太 没有 没 不 已经 现在 今天 一直 时候 还是 把 被 跟 在
"""
_COMMON_WORD = re.compile("|".join(sorted(_COMMON.split(), key=len, reverse=True)))


class Entry(Section):
    """A question with its variants and its answer."""

    questions: list[NonEmpty] = Field(min_length=1)
    answer: NonEmpty

    @property
    def is_passage(self) -> bool:
        """Whether the answer is a text that is itself searched for answers."""
        return False


@dataclass(frozen=True, slots=True)
class SimilarEntry:
    """A similar listed question; `score` is 0–1."""

    question: str
    entry: Entry
    score: float


def similar_entry(question: str, entry: Entry, score: float) -> SimilarEntry:
    """Return a similarity result; a passage is always shown by its title."""
    return SimilarEntry(entry.questions[0] if entry.is_passage else question, entry, score)


def plain(text: str) -> str:
    """Normalise a question: NFKC, casefolded, simplified characters, letters and digits only."""
    return "".join(c for c in simplified(unicodedata.normalize("NFKC", text).casefold()) if c.isalnum())


def strip_polite_phrases(text: str) -> str:
    """Normalise a question and remove polite phrases."""
    normalised = plain(text)
    return _POLITE.sub("", normalised) or normalised


def topic(text: str) -> list[str]:
    """Return the parts of a question that identify its topic."""
    return [piece for piece in _COMMON_WORD.split(plain(text)) if piece]


def load(path: str) -> list[Entry]:
    """Load the entries of a file; [] if it does not exist. Raises ConfigError if it is invalid."""
    if not path or not Path(path).exists():  # a file that the config names exists (config.customer_service)
        return []
    file = read(path)
    try:
        entries = TypeAdapter(list[Entry]).validate_python(file.value or [])
    except ValidationError as error:
        raise ConfigError(one_line(error, file.value, Origin(file))) from None
    answers: dict[str, str] = {}
    for number, entry in enumerate(entries):
        for index, question in enumerate(entry.questions):
            if answers.setdefault(plain(question), entry.answer) != entry.answer:
                position = file.describe((number, "questions", index))
                raise ConfigError(f"{question!r} has two answers ({position})")
    return entries


class FaqIndex:
    """An index of listed questions. A passage is also found by its text."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self._listed = [(question, entry) for entry in entries for question in entry.questions]
        self._exact: dict[str, Entry] = {}
        for form in (plain, strip_polite_phrases):  # exact matches take precedence over those without polite phrases
            for question, entry in self._listed:
                self._exact.setdefault(form(question), entry)
        self._words = _QuestionIndex(entries)
        self._bodies = _PassageIndex({index: entry for index, entry in enumerate(entries) if entry.is_passage})

    def __len__(self) -> int:
        return len(self.entries)

    def exact(self, text: str) -> Entry | None:
        """Return the entry that lists this question."""
        return self._exact.get(plain(text)) or self._exact.get(strip_polite_phrases(text))

    @cached_property
    def threshold(self) -> float:
        """The similarity that most chatter, everyday sentences that no business lists, does not reach."""
        highest = sorted(max(self.scores(text).values(), default=0.0) for text in CHATTER)
        return max(MIN_THRESHOLD, highest[int(CHATTER_QUANTILE * len(highest))])

    def nearest(self, text: str, minimum: float | None = None) -> list[SimilarEntry]:
        """Return the most similar entries, best first; none if the best is below the threshold, or `minimum` if given,
        none far behind the best.
        """
        ranked = self.ranked(text, MAX_OFFERED)
        if not ranked or ranked[0].score < (self.threshold if minimum is None else minimum):
            return []
        return [match for match in ranked if match.score >= MIN_SHARE_OF_BEST * ranked[0].score]

    def ranked(self, text: str, number: int) -> list[SimilarEntry]:
        """Return a number of entries by similarity, best first, without those that share nothing with the text."""
        scores, best_row = self._scored(text)
        indexes = sorted(
            (index for index, score in scores.items() if score > 0), key=lambda index: (-scores[index], index)
        )
        return [
            similar_entry(self._question(index, best_row.get(index, 0)), self.entries[index], scores[index])
            for index in indexes[:number]
        ]

    def scores(self, text: str) -> dict[int, float]:
        """Return the similarity (0–1) of each entry, by its index, that shares anything with the text."""
        return self._scored(text)[0]

    def _scored(self, text: str) -> tuple[dict[int, float], dict[int, int]]:
        """Return the similarities, and the number of each entry's most similar question."""
        scores, best_row = self._words.scores(text)
        for index, share in self._bodies.shares(topic(text)).items():
            scores[index] = max(scores[index], PASSAGE_WEIGHT * share)
        return scores, best_row

    def _question(self, index: int, number: int) -> str:
        return self.entries[index].questions[number]


class _PassageIndex:
    """The texts of passages: which share of a question's terms a passage contains."""

    def __init__(self, passages: dict[int, Entry]) -> None:
        self._grams = {
            row: _pairs(topic(passage.answer) + topic(passage.questions[0])) for row, passage in passages.items()
        }
        counts = Counter(gram for grams in self._grams.values() for gram in grams)
        self._weight = {gram: math.log(1 + len(passages) / number) for gram, number in counts.items()}
        self._unknown = math.log(1 + len(passages)) if passages else 0.0

    def shares(self, pieces: list[str]) -> dict[int, float]:
        """Return, by row, the weighted share of the question's pairs of characters that the passage contains."""
        pairs = _pairs(pieces)
        total = sum(self._weight.get(gram, self._unknown) for gram in pairs)
        if len(pairs) < 2 or not total:
            return {}
        weights = {row: sum(self._weight[gram] for gram in pairs & grams) for row, grams in self._grams.items()}
        return {row: weight / total for row, weight in weights.items() if weight}


def _pairs(pieces: list[str]) -> set[str]:
    return {text[start : start + 2] for text in pieces for start in range(len(text) - 1)}


class _QuestionIndex:
    """Questions and answers as weighted characters and pairs of them, by inverted lists."""

    def __init__(self, entries: list[Entry]) -> None:
        rows = [
            (index, n, _question_terms(q)) for index, entry in enumerate(entries) for n, q in enumerate(entry.questions)
        ]
        answers = {index: _answer_terms(entry.answer) for index, entry in enumerate(entries) if not entry.is_passage}
        containing: defaultdict[str, set[int]] = defaultdict(set)  # the entries that contain it
        for index, _, grams in rows:
            for gram in grams:
                containing[gram].add(index)
        for index, terms in answers.items():
            for gram in terms:
                containing[gram].add(index)
        self._weights = {gram: math.log(1 + len(entries) / len(has)) for gram, has in containing.items()}
        self._unknown = math.log(1 + 2 * len(entries))
        self._rows = [(index, number) for index, number, _ in rows]
        self._by_question: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for row, (_, _, grams) in enumerate(rows):
            norm = self._norm(self._weighted(grams))
            for gram, weight in self._weighted(grams).items():
                self._by_question[gram].append((row, weight / norm))
        self._by_answer: defaultdict[str, list[int]] = defaultdict(list)
        for index, terms in answers.items():
            for gram in terms:
                if not gram.isascii() or len(gram) > 1:  # a single digit or letter says nothing about the topic
                    self._by_answer[gram].append(index)

    def scores(self, text: str) -> tuple[defaultdict[int, float], dict[int, int]]:
        """Return, by entry, its similarity (0–1) and its most similar question."""
        question_weights = self._weighted(_question_terms(text))
        norm, total = self._norm(question_weights), sum(question_weights.values()) or 1.0
        products: defaultdict[int, float] = defaultdict(float)
        scores: defaultdict[int, float] = defaultdict(float)
        for gram, weight in question_weights.items():
            for row, value in self._by_question.get(gram, ()):
                products[row] += COSINE_WEIGHT * weight / norm * value + (1 - COSINE_WEIGHT) * weight / total
        nearest: dict[int, int] = {}
        for row in sorted(products, key=lambda row: (-products[row], row)):
            index, number = self._rows[row]
            if index not in nearest:
                nearest[index], scores[index] = number, products[row] / (1 + ANSWER_WEIGHT)
        for gram, weight in question_weights.items():
            for index in self._by_answer.get(gram, ()):
                scores[index] += ANSWER_WEIGHT / (1 + ANSWER_WEIGHT) * weight / total
        return scores, nearest

    def _weighted(self, grams: dict[str, float]) -> dict[str, float]:
        return {gram: number * self._weights.get(gram, self._unknown) for gram, number in grams.items()}

    @staticmethod
    def _norm(weighted: dict[str, float]) -> float:
        return math.sqrt(sum(weight**2 for weight in weighted.values())) or 1.0


def _question_terms(question: str) -> dict[str, float]:
    """Return the terms of a question's topic and its concepts.

    A question of common words only, such as 你们在哪里, is similar to such questions alone.
    """
    stripped = strip_polite_phrases(question)
    pieces = topic(stripped)
    terms: dict[str, float] = (
        dict(_grams(pieces)) if pieces else {f"={gram}": n for gram, n in _grams([stripped]).items()}
    )
    return terms | dict.fromkeys(concepts(plain(question)), CONCEPT_WEIGHT)


def _answer_terms(answer: str) -> set[str]:
    return {*_grams(topic(answer)), *concepts(plain(answer))}


def _grams(pieces: list[str]) -> Counter[str]:
    return Counter(
        part for text in pieces for part in (*text, *(text[start : start + 2] for start in range(len(text) - 1)))
    )
