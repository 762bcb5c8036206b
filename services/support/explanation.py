"""Explains which rule would answer a message, for trying out rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from config.customer_service import CustomerService
from services.support.faq_entries import FaqEntries
from services.support.keywords import Keywords
from services.support.knowledge import Passage
from services.support.person_requests import PersonRequests


class AnsweredBy(StrEnum):
    """Which rule would answer."""

    PERSON = "person"  # a request for a person
    KEYWORD = "keyword"
    QUESTION = "question"  # a listed question
    MENU = "menu"  # a menu of similar questions
    PASSAGE = "passage"  # a passage is quoted
    MODEL = "model"  # the language model would choose; it is not called here
    FALLBACK = "fallback"
    NOBODY = "nobody"  # in a group, where there is no fallback


@dataclass(frozen=True, slots=True)
class Explanation:
    """`rule`: as in the config; `reply`: the reply; `near`: similar questions with their scores (0–1)."""

    by: AnsweredBy
    rule: str = ""
    reply: str = ""
    near: list[tuple[str, float]] = field(default_factory=list)


class Explainer:
    """Applies the rules in the order of the handlers, without sending anything."""

    def __init__(
        self, person_requests: PersonRequests, keywords: Keywords, faq_entries: FaqEntries, settings: CustomerService
    ) -> None:
        self._person_requests = person_requests
        self._keywords = keywords
        self._faq_entries = faq_entries
        self._settings = settings

    def explain(self, account: str, text: str, *, group: bool = False) -> Explanation:
        """Explain what the message would be answered with."""
        if self._person_requests.match(text):
            return Explanation(AnsweredBy.PERSON)
        match = self._keywords.find(account, text, group=group)
        if match is not None:
            rule = match.rule
            kind = "equals" if rule.equals else "contains" if rule.contains else "regex"
            reply = "\n".join(part.text or part.image or part.file or "🔗" for part in match.parts())
            return Explanation(AnsweredBy.KEYWORD, f"{kind}: {getattr(rule, kind)}", reply)
        entry = self._faq_entries.index.exact(text)
        if entry is not None:
            return Explanation(AnsweredBy.QUESTION, entry.questions[0], entry.answer)
        nearest = self._faq_entries.index.nearest(text)
        similar = [(match.question, round(match.score, 2)) for match in nearest]
        if self._settings.llm.base_url:
            return Explanation(AnsweredBy.MODEL, near=similar)
        first = nearest[0].entry if nearest else None
        if isinstance(first, Passage):
            return Explanation(AnsweredBy.PASSAGE, first.title, first.answer, near=similar)
        if similar:
            return Explanation(AnsweredBy.MENU, near=similar)
        if group:
            return Explanation(AnsweredBy.NOBODY)
        return Explanation(AnsweredBy.FALLBACK, reply=self._settings.fallback)
