"""Formats the questions of flows and parses their answers. Without side effects."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

import re2

from config.flow_settings import CANCEL, CONFIRM, AnswerCheck, Choice, Question, normalised
from config.texts import Texts, fill
from services.messaging.messages import Body, choices, text

MAX_BUTTONS: Final = 10  # options that channels can show as buttons
_NUMBER: Final = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,10})?")
_POSITION: Final = re.compile("(?:回复|选择?)?第?(\\d{1,2}|[一二三四五六七八九十])[个项条]?")
_CHINESE: Final = {digit: number for number, digit in enumerate("一二三四五六七八九十", 1)}


class InvalidAnswer(Exception):
    """An invalid answer; the message is for the person."""


def question_body(question: Question | Choice, question_text: str, texts: Texts) -> Body:
    """Return the message of a question; `question_text`: its text, filled in."""
    if isinstance(question, Question):
        return text(question_text)
    labels = list(question.options)
    lines = "\n".join(f"{number}. {label}" for number, label in enumerate(labels, 1))
    full = f"{question_text}\n{lines}\n{texts.flow_choose}"
    return choices(full, labels if len(labels) <= MAX_BUTTONS else ())


def confirmation_body(summary: str, texts: Texts) -> Body:
    """Return the message that asks to confirm a summary."""
    return choices(f"{summary}\n{texts.flow_confirm}", (CONFIRM, CANCEL))


def parse_answer(question: Question | Choice, answer: str, texts: Texts) -> Any:
    """Return the value of an answer; raise InvalidAnswer."""
    if isinstance(question, Choice):
        return _chosen(question, answer, texts)
    check = question.check
    if check is None:
        return answer
    return _number(check, answer) if check.is_number else _matching(check, answer)


def _chosen(question: Choice, answer: str, texts: Texts) -> Any:
    labels = {normalised(label): value for label, value in question.options.items()}
    label = normalised(answer)
    if label in labels:
        return labels[label]
    match = _POSITION.fullmatch(label)
    position = (_CHINESE.get(match[1]) or int(match[1])) if match else 0
    if not 1 <= position <= len(question.options):
        raise InvalidAnswer(fill(texts.flow_choose_again, count=len(question.options)))
    return list(question.options.values())[position - 1]


def _number(check: AnswerCheck, answer: str) -> int | float:
    digits = "".join(unicodedata.normalize("NFKC", answer).split())
    if not digits.isascii() or not _NUMBER.fullmatch(digits):
        raise InvalidAnswer(check.words)
    value = float(digits) if "." in digits else int(digits)
    too_small = check.min is not None and value < check.min
    if too_small or (check.max is not None and value > check.max):
        raise InvalidAnswer(check.words)
    return value


def _matching(check: AnswerCheck, answer: str) -> str:
    if re2.fullmatch(check.regex, answer) is None:
        raise InvalidAnswer(check.words)
    return answer
