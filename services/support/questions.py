"""Answers questions without a matching keyword: FAQ, menu, language model if configured, fallback."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from config.customer_service import CustomerService
from config.texts import Texts, fill
from models.conversations import FallbackSaid
from models.db import Store, after_commit
from models.faq import FaqMenu, FaqMiss
from services.clock import Clock
from services.decision import Decision
from services.support.faq import Entry, Faq, Near, plain
from services.support.faq_book import FaqBook
from services.support.knowledge import Passage
from services.support.llm import LlmClient
from services.support.near_questions import NearQuestions

MENU_SECONDS = 600.0
FALLBACK_SECONDS = 600.0
MAX_FALLBACKS = 2  # in that time, the second in other words
LONGEST_MISS = 100  # characters of a question that is counted; what is longer is a letter, not a question
_NUMBERS = {"1": 0, "2": 1, "3": 2, "一": 0, "二": 1, "三": 2}
_CHOSEN = re.compile("(?:回复|选择?)?第?([1-3一二三])[个条]?")  # matches a normalised text

Person = tuple[str, str, str]  # account, conversation, contact id


@dataclass(frozen=True, slots=True)
class _Menu:
    questions: tuple[str, ...]
    asked_at: float


@dataclass(frozen=True, slots=True)
class _Fallback:
    at: float  # the first time
    times: int


class Questions:
    """Answers questions. Menus and recent fallbacks are cached in memory, so that answering needs no database read."""

    def __init__(
        self,
        store: Store,
        book: FaqBook,
        near: NearQuestions,
        llm: LlmClient,
        settings: CustomerService,
        texts: Texts,
        zone: ZoneInfo,
        clock: Clock,
    ) -> None:
        self._store = store
        self._book = book
        self._near = near
        self._llm = llm
        self._settings = settings
        self._texts = texts
        self._zone = zone
        self._clock = clock
        self._menus: dict[Person, _Menu] = {}
        self._fallbacks: dict[tuple[str, str], _Fallback] = {}

    @property
    def faq(self) -> Faq:
        """The FAQ index."""
        return self._book.faq

    async def load(self, account: str | None = None) -> None:
        """Load the open menus and recent fallbacks, of one account or of all."""
        now = self._clock()
        menus = select(FaqMenu).where(FaqMenu.expires_at > now)
        lately = select(FallbackSaid).where(FallbackSaid.at > now - FALLBACK_SECONDS)
        if account is not None:
            menus, lately = menus.where(FaqMenu.account == account), lately.where(FallbackSaid.account == account)
        for row in await self._store.read(lambda s: s.exec(menus).all()):
            self._menus[row.account, row.conversation, row.contact_id] = _Menu(tuple(row.questions), row.asked_at)
        for said in await self._store.read(lambda s: s.exec(lately).all()):
            self._fallbacks[said.account, said.contact_id] = _Fallback(said.at, said.times)
        self._near.prepare()

    def drop(self, account: str) -> None:
        """Drop the data of an account."""
        self._menus = {who: menu for who, menu in self._menus.items() if who[0] != account}
        self._fallbacks = {who: at for who, at in self._fallbacks.items() if who[0] != account}

    # ---- answering ----

    def menu_since(self, who: Person) -> float:
        """Return when the person's open menu was offered, or 0."""
        menu = self._menus.get(who)
        return menu.asked_at if menu and menu.asked_at + MENU_SECONDS > self._clock() else 0.0

    def listed(self, who: Person, text: str) -> str | None:
        """Return the answer to a listed question, or to a number of the offered menu."""
        entry = self.faq.exact(text)
        if entry is not None:
            return self._answer(entry)
        named = _CHOSEN.fullmatch(plain(text))
        if named is None or not self.menu_since(who):
            return None
        chosen, questions = _NUMBERS[named[1]], self._menus[who].questions
        entry = self.faq.exact(questions[chosen]) if chosen < len(questions) else None
        return self._answer(entry) if entry else None

    async def other(self, who: Person, text: str) -> Decision | None:
        """Answer an unlisted question by the language model or a menu; None if nothing is similar."""
        if self._llm.is_on:
            nearest = self.faq.entries
            if len(nearest) > 40:
                nearest = [near.entry for near in self.faq.ranked(text, 20)]
            entry = await self._llm.choose(text, nearest)
            if entry is not None:
                return Decision(self._answer(entry))
        offered = await self._near.nearest(text)
        if not offered:
            return None
        first, words, menu = offered[0].entry, "", offered
        if isinstance(first, Passage):  # it is quoted at once; what else is near is offered below it
            words, menu = self._answer(first), offered[1:]
        if not menu:
            return Decision(words)
        words += f"\n\n{self._listing(menu, self._texts.knowledge_more)}" if words else self._menu_text(menu)
        write = partial(self._offer, who=who, offered=menu, text="" if menu is not offered else text)
        return Decision(words, write, choices=tuple(near.question for near in menu))

    def _answer(self, entry: Entry) -> str:
        """An entry's own words; those of a passage with where they stand."""
        if isinstance(entry, Passage):
            return fill(self._texts.knowledge_answer, passage=entry.answer, title=entry.title)
        return entry.answer

    def fallback(self, account: str, contact_id: str, text: str, *, hint: str = "") -> Decision:
        """Reply to a question that was not understood, and count it.

        Within ten minutes, the second reply offers a person in other words; after that there is none.
        """
        now, who = self._clock(), (account, contact_id)
        last = self._fallbacks.get(who)
        if last is None or now - last.at >= FALLBACK_SECONDS:
            said, words = _Fallback(now, 1), self._settings.fallback
        else:
            said, words = _Fallback(last.at, last.times + 1), self._texts.fallback_again
        silent = not self._settings.fallback or not words or said.times > MAX_FALLBACKS

        def write(session: Session) -> None:
            self.missed(session, account, text)
            if not silent:
                keys, values = {"account": account, "contact_id": contact_id}, {"at": said.at, "times": said.times}
                insert = self._store.insert(FallbackSaid).values({**keys, **values})
                session.connection().execute(insert.on_conflict_do_update(index_elements=list(keys), set_=values))
                after_commit(session, lambda: self._remember(who, said))

        return Decision("" if silent else f"{words}\n{hint}".strip(), write)

    def _remember(self, who: tuple[str, str], said: _Fallback) -> None:
        self._fallbacks[who] = said
        if len(self._fallbacks) > 10_000:
            since = said.at - FALLBACK_SECONDS
            self._fallbacks = {k: one for k, one in self._fallbacks.items() if one.at > since}

    # ---- menus ----

    def _menu_text(self, offered: Sequence[Near]) -> str:
        return self._listing(offered, self._texts.faq_menu)

    def _listing(self, offered: Sequence[Near], words: str) -> str:
        lines = "\n".join(f"{number}. {near.question}" for number, near in enumerate(offered, 1))
        numbers = "、".join(str(number) for number in range(1, len(offered) + 1))
        return fill(words, questions=lines, numbers=numbers)

    def _offer(self, session: Session, *, who: Person, offered: Sequence[Near], text: str) -> None:
        now = self._clock()
        questions = [near.question for near in offered]
        values = {"questions": questions, "asked_at": now, "expires_at": now + MENU_SECONDS}
        keys = dict(zip(("account", "conversation", "contact_id"), who, strict=True))
        insert = self._store.insert(FaqMenu).values({**keys, **values})
        session.connection().execute(insert.on_conflict_do_update(index_elements=list(keys), set_=values))
        after_commit(session, lambda: self._offered(who, _Menu(tuple(questions), now)))
        self.missed(session, who[0], text)

    def _offered(self, who: Person, menu: _Menu) -> None:
        self._menus[who] = menu
        if len(self._menus) > 10_000:
            self._menus = {k: m for k, m in self._menus.items() if m.asked_at + MENU_SECONDS > menu.asked_at}

    # ---- unlisted questions ----

    def missed(self, session: Session, account: str, text: str) -> None:
        """Count a question that the FAQ does not list."""
        question = plain(text)
        if not question or len(question) > LONGEST_MISS:
            return
        day = datetime.fromtimestamp(self._clock(), self._zone).date().isoformat()
        insert = self._store.insert(FaqMiss).values(account=account, day=day, question=question, count=1)
        more = {"count": col(FaqMiss.count) + 1}
        keys = ["account", "day", "question"]
        session.connection().execute(insert.on_conflict_do_update(index_elements=keys, set_=more))

    async def prune(self, before: float) -> None:
        """Delete expired menus, and question counts before a time (Unix seconds)."""
        day, now = datetime.fromtimestamp(before, self._zone).date().isoformat(), self._clock()

        def write(session: Session) -> None:
            connection = session.connection()
            connection.execute(delete(FaqMenu).where(col(FaqMenu.expires_at) < now))
            connection.execute(delete(FallbackSaid).where(col(FallbackSaid.at) < now - FALLBACK_SECONDS))
            connection.execute(delete(FaqMiss).where(col(FaqMiss.day) < day))

        await self._store.write(write)


def top_misses(
    session: Session, number: int, *, account: str = "", since: str = "", until: str = ""
) -> list[tuple[str, int]]:
    """Return the most frequent unlisted questions as (question, times). `since`, `until`: days, YYYY-MM-DD."""
    times = func.sum(FaqMiss.count)
    wanted = select(FaqMiss.question, times).group_by(col(FaqMiss.question))
    if account:
        wanted = wanted.where(FaqMiss.account == account)
    if since:
        wanted = wanted.where(FaqMiss.day >= since)
    if until:
        wanted = wanted.where(FaqMiss.day <= until)
    rows = session.exec(wanted.order_by(times.desc(), col(FaqMiss.question)).limit(number)).all()
    return [(question, int(count)) for question, count in rows]
