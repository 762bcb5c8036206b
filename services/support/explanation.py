"""Explains which rule would answer a message, for trying out rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from config.customer_service import CustomerService
from services.support.faq_book import FaqBook
from services.support.handover import Handover
from services.support.keywords import Keywords
from services.support.knowledge import Passage


class Answers(StrEnum):
    """What would answer."""

    PERSON = "person"  # a request for a person
    KEYWORD = "keyword"
    QUESTION = "question"  # it is listed
    MENU = "menu"  # near ones are offered
    PASSAGE = "passage"  # a passage is quoted
    MODEL = "model"  # the language model chooses; it is not asked here
    FALLBACK = "fallback"
    NOBODY = "nobody"  # in a group, where there is no fallback


@dataclass(frozen=True, slots=True)
class Explanation:
    """`rule`: as in the config; `reply`: the reply; `near`: similar questions with their scores (0–1)."""

    by: Answers
    rule: str = ""
    reply: str = ""
    near: list[tuple[str, float]] = field(default_factory=list)


class Explainer:
    """Applies the rules in the order of the handlers, without sending anything."""

    def __init__(self, handover: Handover, keywords: Keywords, book: FaqBook, settings: CustomerService) -> None:
        self._handover = handover
        self._keywords = keywords
        self._book = book
        self._settings = settings

    def explain(self, account: str, text: str, *, group: bool = False) -> Explanation:
        """Explain what the message would be answered with."""
        if self._handover.wants_person(text):
            return Explanation(Answers.PERSON)
        match = self._keywords.find(account, text, group=group)
        if match is not None:
            rule = match.rule
            kind = "equals" if rule.equals else "contains" if rule.contains else "regex"
            reply = "\n".join(part.text or part.image or part.file or "🔗" for part in match.parts())
            return Explanation(Answers.KEYWORD, f"{kind}: {getattr(rule, kind)}", reply)
        entry = self._book.faq.exact(text)
        if entry is not None:
            return Explanation(Answers.QUESTION, entry.questions[0], entry.answer)
        nearest = self._book.faq.nearest(text)
        near = [(one.question, round(one.score, 2)) for one in nearest]
        if self._settings.llm.base_url:
            return Explanation(Answers.MODEL, near=near)
        first = nearest[0].entry if nearest else None
        if isinstance(first, Passage):
            return Explanation(Answers.PASSAGE, first.title, first.answer, near=near)
        if near:
            return Explanation(Answers.MENU, near=near)
        if group:
            return Explanation(Answers.NOBODY)
        return Explanation(Answers.FALLBACK, reply=self._settings.fallback)
