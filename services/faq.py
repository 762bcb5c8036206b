"""The FAQ: a listed question is answered; for a near one the nearest listed questions are found. Pure.

Nearness is the cosine of TF-IDF vectors over single characters and pairs of them. No lexical measure is good enough to
answer freely by (benchmarks/faq.py measures it), so a near question only ever gets a menu.
"""

from __future__ import annotations

import logging
import math
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from complaint import one_line
from config import ConfigError
from section import NonEmpty, Section

log = logging.getLogger(__name__)
NEAR = 0.20  # benchmarks/faq.py: where right menus outweigh wrong ones by most, with the fewest wrong
OFFERED = 3
_POLITE = re.compile(r"^(您好|你好|请问|想问|我想问|想咨询|咨询|问|麻烦|一下|下)+|(吗|呢|啊|呀|吧|哦|谢谢您?)+$")


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


def load(path: str) -> list[Entry]:
    """The entries of a file; none when there is no file. ConfigError with one line when it cannot be read."""
    if not path:
        return []
    if not Path(path).exists():
        log.warning("customer_service.faq: there is no file %r: no questions are listed", path)
        return []
    try:
        data: Any = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return TypeAdapter(list[Entry]).validate_python(data or [])
    except ValidationError as error:
        raise ConfigError(f"{path}: {one_line(error, data)}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None


class Faq:
    """Listed questions, looked up."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self._listed = [(question, entry) for entry in entries for question in entry.questions]
        self._exact: dict[str, Entry] = {}
        for form in (plain, core):  # a question as it is listed goes before one less its politeness
            for question, entry in self._listed:
                self._exact.setdefault(form(question), entry)
        self._index = _Index([core(question) for question, _ in self._listed])

    def __len__(self) -> int:
        return len(self.entries)

    def exact(self, text: str) -> Entry | None:
        """The entry that lists this question."""
        return self._exact.get(plain(text)) or self._exact.get(core(text))

    def nearest(self, text: str, number: int = OFFERED, least: float = NEAR) -> list[Near]:
        """The nearest questions of different entries, best first; none when even the best is below `least`."""
        best: dict[int, Near] = {}
        for row, score in sorted(self._index.scores(core(text)).items(), key=lambda item: (-item[1], item[0])):
            question, entry = self._listed[row]
            if len(best) == number or (not best and score < least):
                break
            best.setdefault(id(entry), Near(question, entry, score))
        return list(best.values())


class _Index:
    """TF-IDF over characters and pairs of characters, by an inverted list."""

    def __init__(self, texts: list[str]) -> None:
        counts = [_grams(text) for text in texts]
        seen = Counter(gram for grams in counts for gram in grams)
        self._weight = {gram: math.log(1 + len(texts) / number) for gram, number in seen.items()}
        self._unknown = math.log(1 + len(texts)) if texts else 0.0
        self._rows: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for row, grams in enumerate(counts):
            norm = self._norm(grams)
            for gram, number in grams.items():
                self._rows[gram].append((row, number * self._weight[gram] / norm))

    def scores(self, text: str) -> dict[int, float]:
        """The cosine with every text that shares a character with this one."""
        grams = _grams(text)
        norm = self._norm(grams)
        found: defaultdict[int, float] = defaultdict(float)
        for gram, number in grams.items():
            for row, value in self._rows.get(gram, ()):
                found[row] += number * self._weight[gram] / norm * value
        return found

    def _norm(self, grams: Counter[str]) -> float:
        squares = ((number * self._weight.get(gram, self._unknown)) ** 2 for gram, number in grams.items())
        return math.sqrt(sum(squares)) or 1.0


def _grams(text: str) -> Counter[str]:
    return Counter([*text, *(text[at : at + 2] for at in range(len(text) - 1))])
