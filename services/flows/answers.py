"""How a flow's questions are put, and what an answer to one brings. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

import re2

from config.flow_settings import CANCEL, CONFIRM, AnswerCheck, Choice, Question, spoken
from config.texts import Texts, fill
from services.messaging.messages import Body, choices, text

MAX_TAPPED: Final = 10  # options that channels can show as buttons
_NUMBER: Final = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,10})?")
_POSITION: Final = re.compile("(?:回复|选择?)?第?(\\d{1,2}|[一二三四五六七八九十])[个项条]?")
_CHINESE: Final = {digit: number for number, digit in enumerate("一二三四五六七八九十", 1)}


class Unfit(Exception):
    """An answer that does not do; the message is for the person."""


def put(question: Question | Choice, words: str, texts: Texts) -> Body:
    """A question as it is said; `words`: its text, filled in."""
    if isinstance(question, Question):
        return text(words)
    labels = list(question.options)
    lines = "\n".join(f"{number}. {label}" for number, label in enumerate(labels, 1))
    full = f"{words}\n{lines}\n{texts.flow_choose}"
    return choices(full, labels if len(labels) <= MAX_TAPPED else ())


def put_confirm(words: str, texts: Texts) -> Body:
    """What is to be confirmed, as it is said."""
    return choices(f"{words}\n{texts.flow_confirm}", (CONFIRM, CANCEL))


def understood(question: Question | Choice, words: str, texts: Texts) -> Any:
    """The value that an answer brings; Unfit."""
    if isinstance(question, Choice):
        return _chosen(question, words, texts)
    check = question.check
    if check is None:
        return words
    return _number(check, words) if check.is_number else _matching(check, words)


def _chosen(question: Choice, words: str, texts: Texts) -> Any:
    labels = {spoken(label): value for label, value in question.options.items()}
    said = spoken(words)
    if said in labels:
        return labels[said]
    named = _POSITION.fullmatch(said)
    at = (_CHINESE.get(named[1]) or int(named[1])) if named else 0
    if not 1 <= at <= len(question.options):
        raise Unfit(fill(texts.flow_choose_again, count=len(question.options)))
    return list(question.options.values())[at - 1]


def _number(check: AnswerCheck, words: str) -> int | float:
    said = "".join(unicodedata.normalize("NFKC", words).split())
    if not said.isascii() or not _NUMBER.fullmatch(said):
        raise Unfit(check.words)
    value = float(said) if "." in said else int(said)
    too_small = check.min is not None and value < check.min
    if too_small or (check.max is not None and value > check.max):
        raise Unfit(check.words)
    return value


def _matching(check: AnswerCheck, words: str) -> str:
    if re2.fullmatch(check.regex, words) is None:
        raise Unfit(check.words)
    return words
