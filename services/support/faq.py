"""The FAQ: a listed question is answered; for a near one the nearest listed questions are found. Pure.

Nearness is the geometric mean of two cosines of TF-IDF vectors over single characters and pairs of them: of the whole
questions, and of what is left of them without the words that any question may have (what, when, can I). So two
questions that share nothing but such words are not near. No lexical measure is good enough to answer freely by
(benchmarks/faq.py measures it), so a near question only ever gets a menu.
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
NEAR = 0.19  # benchmarks/faq.py: lower, and chatter is offered menus; higher, and reworded questions are not
OFFERED = 3
_POLITE = re.compile(r"^(您好|你好|请问|想问|我想问|想咨询|咨询|问|麻烦|一下|下)+|(吗|呢|啊|呀|吧|哦|谢谢您?)+$")
# Words that say nothing of what a question is about. None that also begins or ends a word that does, as 会 in 会员.
_COMMON = """
怎么样 怎么办 怎么 怎样 咋样 咋办 咋 如何 什么时候 啥时候 什么 为什么 为何 为啥 啥 哪里 哪儿 哪个 哪些 哪 谁
多少 多久 多长时间 几点 几天 几 能不能 可不可以 是不是 有没有 要不要 会不会 可否 能否 是否
可以 能够 需要 应该 想要 能 要 想 帮忙 帮我 给我 一下 知道 告诉 请问 麻烦 你好 您好 好的 谢谢
我们 你们 他们 咱们 我 你 您 他 她 它 这个 那个 这些 那些 这里 那里 这样 那样 这 那 自己 大家
的 了 吗 呢 吧 啊 呀 哦 嘛 么 啦 是 有 就 都 也 又 很 太 没有 没 不 已经 现在 今天 一直 时候 还是 把 被 跟 在
"""
_COMMON_WORD = re.compile("|".join(sorted(_COMMON.split(), key=len, reverse=True)))


class Entry(Section):
    """Questions that mean the same, and their answer."""

    questions: list[NonEmpty] = Field(min_length=1)
    answer: NonEmpty


@dataclass(frozen=True, slots=True)
class Near:
    """A listed question that is near to one asked; `score` is 0–1."""

    question: str
    entry: Entry
    score: float


def plain(text: str) -> str:
    """A question as it is compared: NFKC, no case, no punctuation, no spaces."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def core(text: str) -> str:
    """A question without the politeness around it."""
    bare = plain(text)
    return _POLITE.sub("", bare) or bare


def topic(text: str) -> list[str]:
    """The pieces of a question that say what it is about."""
    return [piece for piece in _COMMON_WORD.split(plain(text)) if piece]


def load(path: str) -> list[Entry]:
    """The entries of a file; none when there is no file. ConfigError with one line when it cannot be read."""
    if not path:
        return []
    if not Path(path).exists():
        log.warning("customer_service.faq: there is no file %r: no questions are listed", path)
        return []
    data = read_yaml(path)
    try:
        entries = TypeAdapter(list[Entry]).validate_python(data or [])
    except ValidationError as error:
        raise ConfigError(f"{path}: {one_line(error, data)}") from None
    answers: dict[str, str] = {}
    for entry in entries:
        for question in entry.questions:
            if answers.setdefault(plain(question), entry.answer) != entry.answer:
                raise ConfigError(f"{path}: {question!r} has two answers")
    return entries


class Faq:
    """Listed questions, looked up."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self._listed = [(question, entry) for entry in entries for question in entry.questions]
        self._exact: dict[str, Entry] = {}
        for form in (plain, core):  # a question as it is listed goes before one less its politeness
            for question, entry in self._listed:
                self._exact.setdefault(form(question), entry)
        self._whole = _Index([[core(question)] for question, _ in self._listed])
        topics = [topic(question) for question, _ in self._listed]
        self._topics = _Index(topics)
        self._about_nothing = [row for row, pieces in enumerate(topics) if not pieces]  # 你们在哪里

    def __len__(self) -> int:
        return len(self.entries)

    def exact(self, text: str) -> Entry | None:
        """The entry that lists this question."""
        return self._exact.get(plain(text)) or self._exact.get(core(text))

    def nearest(self, text: str, number: int = OFFERED, least: float = NEAR) -> list[Near]:
        """The nearest questions of so many entries, best first; none when even the best is below `least`."""
        whole, pieces = self._whole.scores([core(text)]), topic(text)
        about = self._topics.scores(pieces)
        if not pieces:
            about.update((row, whole[row]) for row in self._about_nothing)
        scores = [math.sqrt(whole[row] * about[row]) for row in range(len(self._listed))]
        if max(scores, default=-1.0) < least:
            return []
        best: dict[int, Near] = {}
        for row in sorted(range(len(scores)), key=lambda row: (-scores[row], -whole[row], row)):
            question, entry = self._listed[row]
            best.setdefault(id(entry), Near(question, entry, scores[row]))
            if len(best) == number:
                break
        return list(best.values())


class _Index:
    """TF-IDF over characters and pairs of characters of texts in pieces, by an inverted list."""

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
        """The cosine with every text; 0 where no character is shared."""
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
