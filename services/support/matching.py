"""Matching of keyword rules: equals, then contains (the longest word wins), then regex. No I/O.

Traditional and simplified characters are equivalent; only a pattern is matched as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import re2

from config.customer_service import KeywordRule, LinkPart, ReplyPart
from services.text import normal, simplified

Value = TypeVar("Value")
MAX_TEXT = 4000  # characters of a message that are matched
_GROUP = re.compile(r"\{(\d)\}")


class WordIndex(Generic[Value]):
    """Finds the longest of many words contained in a text, indexed by their first two letters and length."""

    def __init__(self) -> None:
        self._words: dict[str, tuple[int, Value]] = {}
        self._lengths: dict[str, list[int]] = {}  # lengths by the first two letters, longest first
        self._letters: set[str] = set()  # words of one letter
        self._added = 0

    def __len__(self) -> int:
        return len(self._words)

    def add(self, word: str, value: Value, *, replace: bool = False) -> None:
        """Add a word; an existing one is only changed with `replace`."""
        word = normal(word)
        if not word or (word in self._words and not replace):
            return
        self._added += 1
        self._words[word] = (self._added, value)
        if len(word) == 1:
            self._letters.add(word)
            return
        lengths = self._lengths.setdefault(word[:2], [])
        if len(word) not in lengths:
            lengths.append(len(word))
            lengths.sort(reverse=True)

    def drop(self, word: str) -> bool:
        """Remove a word; return False if it was not there."""
        self._letters.discard(normal(word))
        return self._words.pop(normal(word), None) is not None

    def find(self, text: str) -> Value | None:
        """Return the value of the longest word in a normalised text; among equal lengths, the one added first."""
        best_length, earliest = 0, 0
        value: Value | None = None
        entries, lengths, end = self._words, self._lengths, len(text)
        for start in range(end):
            for length in lengths.get(text[start : start + 2], ()):
                if length < best_length:
                    break
                match = entries.get(text[start : start + length]) if start + length <= end else None
                if match is not None and (length > best_length or match[0] < earliest):
                    best_length, earliest, value = length, match[0], match[1]
        if value is None and self._letters:
            hits = [entries[letter] for letter in self._letters.intersection(text)]
            value = min(hits, key=lambda match: match[0])[1] if hits else None
        return value


class Patterns:
    """Several regular expressions matched together with RE2, which runs in linear time; the first match in the list
    wins.
    """

    def __init__(self, rules: Sequence[KeywordRule]) -> None:
        options = re2.Options()
        options.log_errors = False
        self._rules = rules
        self._compiled = [re2.compile(rule.regex, options) for rule in rules]
        self._set = re2.Set.SearchSet(options)
        for rule in rules:
            self._set.Add(rule.regex)
        if rules:
            self._set.Compile()

    def find(self, text: str) -> tuple[KeywordRule, tuple[str, ...]] | None:
        """Return the matching rule and its captured groups (the whole match first)."""
        hits: list[int] = self._set.Match(text) if self._rules else []
        if not hits:
            return None
        first = min(hits)
        match: Any = self._compiled[first].search(text)
        return self._rules[first], (match[0], *(group or "" for group in match.groups()))


@dataclass(frozen=True, slots=True)
class Match:
    """A matching rule with the groups its pattern captured."""

    rule: KeywordRule
    groups: tuple[str, ...] = ()

    def parts(self) -> list[ReplyPart]:
        """Return the parts of the reply with {1}, {2} … filled in."""
        reply = self.rule.reply
        entries = [reply] if isinstance(reply, str) else reply
        return [self._fill(part if isinstance(part, ReplyPart) else ReplyPart(text=part)) for part in entries]

    def _fill(self, part: ReplyPart) -> ReplyPart:
        if not self.groups:
            return part
        if part.link is None:
            return part.model_copy(update={"text": self._put(part.text)})
        link = part.link
        filled = {name: self._put(getattr(link, name)) for name in ("title", "description")}
        url = _GROUP.sub(lambda m: quote(self._group(m), safe=""), link.url)
        return part.model_copy(update={"link": LinkPart(**{**link.model_dump(), **filled, "url": url})})

    def _put(self, text: str) -> str:
        return _GROUP.sub(self._group, text)

    def _group(self, match: re.Match[str]) -> str:
        number = int(match[1])
        return self.groups[number] if number < len(self.groups) else match[0]


class RulesByPlace:
    """Rules indexed for private and group conversations."""

    def __init__(self, rules: Sequence[KeywordRule]) -> None:
        self._by_place = {place: RuleSet(rules, place) for place in ("private", "group")}

    def find(self, text: str, place: str) -> Match | None:
        """Return the rule that matches in a place: private or group."""
        return self._by_place[place].find(text)


class RuleSet:
    """The rules of one place."""

    def __init__(self, rules: Iterable[KeywordRule], place: str) -> None:
        applicable = [rule for rule in rules if rule.where in (place, "both")]
        self._equals: dict[str, KeywordRule] = {}
        self._contains = WordIndex[KeywordRule]()
        traditional: list[tuple[str, KeywordRule]] = []
        for rule in applicable:
            word = normal(rule.equals or rule.contains)
            self._add(word, rule)
            if (simple := simplified(word)) != word:
                traditional.append((simple, rule))
        for word, rule in traditional:  # a word that is written in simplified characters comes first
            self._add(word, rule)
        self._patterns = Patterns([rule for rule in applicable if rule.regex])

    def _add(self, word: str, rule: KeywordRule) -> None:
        if rule.equals:
            self._equals.setdefault(word, rule)
        elif rule.contains:
            self._contains.add(word, rule)

    def find(self, text: str) -> Match | None:
        """Return the rule that matches a text, as it is or in simplified characters."""
        text = text[:MAX_TEXT]
        normalised = normal(text)
        simplified_text = simplified(normalised)
        if simplified_text == normalised:
            rule = self._equals.get(normalised) or self._contains.find(normalised)
        else:  # no word contains the NUL
            rule = (
                self._equals.get(normalised)
                or self._equals.get(simplified_text)
                or self._contains.find(f"{normalised}\0{simplified_text}")
            )
        if rule is not None:
            return Match(rule)
        match = self._patterns.find(text.strip())
        if match is None and simplified_text != normalised:
            match = self._patterns.find(simplified(text.strip()))
        return Match(*match) if match else None
