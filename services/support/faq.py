"""The FAQ: exact matches are answered, similar questions are found by words. No I/O.

Similarity is the geometric mean of two cosines of TF-IDF vectors over characters and pairs of characters: of the whole
questions, and of their topic without words that any question may have (what, when, can I). So questions that share only
such words are not similar. No lexical measure is good enough to answer without asking (benchmarks/faq.py measures it),
so similar questions are only offered as a menu.
"""

from __future__ import annotations

import logging
import math
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from config import ConfigError, read_yaml
from config.error_messages import one_line
from config.section import NonEmpty, Section

log = logging.getLogger(__name__)
# chosen with benchmarks/faq.py: a lower value offers menus for small talk, a higher one misses rephrased questions
NEAR = 0.19
OFFERED = 3
BEHIND = 0.2  # share of the best's nearness below which others are not offered
BODY = 0.4  # nearness of a passage that has all the words that are asked for
_POLITE = re.compile(r"^(您好|你好|请问|想问|我想问|想咨询|咨询|问|麻烦|一下|下)+|(吗|呢|啊|呀|吧|哦|谢谢您?)+$")
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
        """Whether the answer is a text of its own, in which questions may find what they ask."""
        return False


@dataclass(frozen=True, slots=True)
class Near:
    """A similar listed question; `score` is 0–1."""

    question: str
    entry: Entry
    score: float


def near(question: str, entry: Entry, score: float) -> Near:
    """An entry that is near by one of its questions; a passage always goes by its title."""
    return Near(entry.questions[0] if entry.is_passage else question, entry, score)


def plain(text: str) -> str:
    """Normalise a question: NFKC, casefolded, letters and digits only."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def core(text: str) -> str:
    """Normalise a question and remove polite phrases."""
    bare = plain(text)
    return _POLITE.sub("", bare) or bare


def topic(text: str) -> list[str]:
    """Return the parts of a question that identify its topic."""
    return [piece for piece in _COMMON_WORD.split(plain(text)) if piece]


def load(path: str) -> list[Entry]:
    """Load the entries of a file; [] if it does not exist. Raises ConfigError if it is invalid."""
    if not path:
        return []
    if not Path(path).exists():
        log.warning("customer_service.faq: there is no file %r: no questions are listed", path)
        return []
    data = read_yaml(path)
    try:
        return TypeAdapter(list[Entry]).validate_python(data or [])
    except ValidationError as error:
        raise ConfigError(f"{path}: {one_line(error, data)}") from None


class Faq:
    """Listed questions, looked up. A passage is found by its words as well."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self._listed = [(question, entry) for entry in entries for question in entry.questions]
        self._exact: dict[str, Entry] = {}
        for form in (plain, core):  # exact matches take precedence over those without polite phrases
            for question, entry in self._listed:
                self._exact.setdefault(form(question), entry)
        self._whole = _Index([[core(question)] for question, _ in self._listed])
        topics = [topic(question) for question, _ in self._listed]
        self._topics = _Index(topics)
        self._bodies = _Bodies({row: entry for row, (_, entry) in enumerate(self._listed) if entry.is_passage})
        self._about_nothing = [row for row, pieces in enumerate(topics) if not pieces]  # 你们在哪里

    def __len__(self) -> int:
        return len(self.entries)

    def exact(self, text: str) -> Entry | None:
        """Return the entry that lists this question."""
        return self._exact.get(plain(text)) or self._exact.get(core(text))

    def nearest(self, text: str, least: float = NEAR) -> list[Near]:
        """The nearest entries, best first; none when even the best is below `least`, none far behind the best."""
        ranked = self.ranked(text, OFFERED)
        if not ranked or ranked[0].score < least:
            return []
        return [one for one in ranked if one.score >= BEHIND * ranked[0].score]

    def ranked(self, text: str, number: int) -> list[Near]:
        """So many entries by their nearness, best first, without those that share nothing with the text."""
        whole, pieces = self._whole.scores([core(text)]), topic(text)
        about = self._topics.scores(pieces)
        if not pieces:
            about.update((row, whole[row]) for row in self._about_nothing)
        scores = [math.sqrt(whole[row] * about[row]) for row in range(len(self._listed))]
        for row, share in self._bodies.shares(pieces).items():
            scores[row] = max(scores[row], BODY * share)
        best: dict[int, Near] = {}
        rows = [row for row, score in enumerate(scores) if score > 0]
        for row in sorted(rows, key=lambda row: (-scores[row], -whole[row], row)):
            question, entry = self._listed[row]
            best.setdefault(id(entry), near(question, entry, scores[row]))
            if len(best) == number:
                break
        return list(best.values())


class _Bodies:
    """The words of passages: how much of what is asked a passage speaks of."""

    def __init__(self, passages: dict[int, Entry]) -> None:
        self._grams = {row: _pairs(topic(one.answer) + topic(one.questions[0])) for row, one in passages.items()}
        seen = Counter(gram for grams in self._grams.values() for gram in grams)
        self._weight = {gram: math.log(1 + len(passages) / number) for gram, number in seen.items()}
        self._unknown = math.log(1 + len(passages)) if passages else 0.0

    def shares(self, pieces: list[str]) -> dict[int, float]:
        """By row, the share of the asked pairs of characters that the passage has, by weight."""
        asked = _pairs(pieces)
        total = sum(self._weight.get(gram, self._unknown) for gram in asked)
        if len(asked) < 2 or not total:
            return {}
        found = {row: sum(self._weight[gram] for gram in asked & grams) for row, grams in self._grams.items()}
        return {row: weight / total for row, weight in found.items() if weight}


def _pairs(pieces: list[str]) -> set[str]:
    return {text[at : at + 2] for text in pieces for at in range(len(text) - 1)}


class _Index:
    """Inverted index of TF-IDF vectors over characters and pairs of characters. Texts are lists of parts."""

    def __init__(self, texts: list[list[str]]) -> None:
        counts = [_grams(pieces) for pieces in texts]
        seen = Counter(gram for grams in counts for gram in grams)
        self._weight = {gram: math.log(1 + len(texts) / number) for gram, number in seen.items()}
        self._unknown = math.log(1 + len(texts)) if texts else 0.0
        self._rows: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for row, grams in enumerate(counts):
            norm = self._norm(grams)
            for gram, number in grams.items():
                self._rows[gram].append((row, number * self._weight[gram] / norm))

    def scores(self, pieces: list[str]) -> defaultdict[int, float]:
        """Return the cosine with every text that shares a character."""
        grams = _grams(pieces)
        norm = self._norm(grams)
        found: defaultdict[int, float] = defaultdict(float)
        for gram, number in grams.items():
            for row, value in self._rows.get(gram, ()):
                found[row] += number * self._weight[gram] / norm * value
        return found

    def _norm(self, grams: Counter[str]) -> float:
        squares = ((number * self._weight.get(gram, self._unknown)) ** 2 for gram, number in grams.items())
        return math.sqrt(sum(squares)) or 1.0


def _grams(pieces: list[str]) -> Counter[str]:
    return Counter(part for text in pieces for part in (*text, *(text[at : at + 2] for at in range(len(text) - 1))))
