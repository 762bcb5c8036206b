"""Answers questions without a matching keyword: FAQ, menu, language model if configured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Final

from sqlmodel import Session

from config.texts import Texts, fill
from services.decision import Decision
from services.support.faq import Entry, SimilarEntry, plain
from services.support.faq_entries import FaqEntries
from services.support.knowledge import Passage
from services.support.llm import MAX_ENTRIES, LlmClient
from services.support.missed_questions import MissedQuestions
from services.support.question_menus import Person, QuestionMenus
from services.support.similar_questions import SimilarQuestions

PRESELECTED: Final = 20  # entries among which the language model chooses if it cannot be shown all
_NUMBERS = {"1": 0, "2": 1, "3": 2, "一": 0, "二": 1, "三": 2}
MAX_CHOICES: Final = 3
_CHOICE = re.compile(r"(?:回复|选择?)?第?(\d|[一二三四五六七八九])[个条]?")  # matches a normalised text


class Questions:
    """Answers questions of people."""

    def __init__(
        self,
        faq_entries: FaqEntries,
        similar_questions: SimilarQuestions,
        llm: LlmClient,
        menus: QuestionMenus,
        missed: MissedQuestions,
        texts: Texts,
    ) -> None:
        self._faq_entries = faq_entries
        self._similar_questions = similar_questions
        self._llm = llm
        self._menus = menus
        self._missed = missed
        self._texts = texts

    def answer_listed(self, person: Person, text: str) -> str | None:
        """Answer a listed question or a number of the offered menu; for another number, return the menu again."""
        entry = self._faq_entries.index.exact(text)
        if entry is not None:
            return self._answer(entry)
        choice = _CHOICE.fullmatch(plain(text))
        questions = self._menus.questions(person) if choice else ()
        if not choice or not questions:
            return None
        number = _NUMBERS.get(choice[1], MAX_CHOICES)
        if number >= len(questions):
            return _listing(questions, self._texts.faq_menu)
        entry = self._faq_entries.index.exact(questions[number])
        return self._answer(entry) if entry else None

    async def answer_unlisted(self, person: Person, text: str) -> Decision | None:
        """Answer an unlisted question by the language model or a menu; None if nothing is similar."""
        entry = await self._chosen_by_model(text)
        if entry is not None:
            return Decision(self._answer(entry))
        similar = await self._similar_questions.nearest(text)
        if not similar:
            return None
        first, reply, menu = similar[0].entry, "", similar
        if isinstance(first, Passage):  # it is answered directly, and the other similar questions are offered below it
            reply, menu = self._answer(first), similar[1:]
        if not menu:
            return Decision(reply)
        if reply:
            reply += f"\n\n{_listing([item.question for item in menu], self._texts.knowledge_more)}"
        else:
            reply = _listing([item.question for item in menu], self._texts.faq_menu)
        write = partial(self._offer, person=person, menu=menu, missed="" if menu is not similar else text)
        return Decision(reply, write, choices=tuple(item.question for item in menu))

    async def _chosen_by_model(self, text: str) -> Entry | None:
        if not self._llm.is_on:
            return None
        entries = self._faq_entries.index.entries
        if len(entries) > MAX_ENTRIES:
            entries = [item.entry for item in self._faq_entries.index.ranked(text, PRESELECTED)]
        return await self._llm.choose(text, entries)

    def _answer(self, entry: Entry) -> str:
        """Return the answer of an entry; a passage is quoted with its title."""
        if isinstance(entry, Passage):
            return fill(self._texts.knowledge_answer, passage=entry.answer, title=entry.title)
        return entry.answer

    def _offer(self, session: Session, *, person: Person, menu: Sequence[SimilarEntry], missed: str) -> None:
        self._menus.offer(session, person, [item.question for item in menu])
        self._missed.count(session, person[0], missed)


def _listing(questions: Sequence[str], template: str) -> str:
    lines = "\n".join(f"{number}. {question}" for number, question in enumerate(questions, 1))
    numbers = "、".join(str(number) for number in range(1, len(questions) + 1))
    return fill(template, questions=lines, numbers=numbers)
