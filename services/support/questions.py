"""Questions that no keyword answers: the FAQ, its menu, a language model where there is one, and else the fallback."""

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
from services.support.faq import Faq, Near, plain
from services.support.faq_book import FaqBook
from services.support.llm import LlmClient
from services.support.near_questions import NearQuestions

MENU_SECONDS = 600.0
FALLBACK_SECONDS = 600.0
LONGEST_MISS = 100  # characters of a question that is counted; what is longer is a letter, not a question
_NUMBERS = {"1": 0, "2": 1, "3": 2, "一": 0, "二": 1, "三": 2}
_CHOSEN = re.compile("(?:回复|选择?)?第?([1-3一二三])[个条]?")  # of a normalised text

Person = tuple[str, str, str]  # account, conversation, contact id


@dataclass(frozen=True, slots=True)
class _Menu:
    questions: tuple[str, ...]
    asked_at: float


class Questions:
    """Answers questions. Menus and the last fallbacks are in memory too, so that an answer reads no database."""

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
        self._fallbacks: dict[tuple[str, str], float] = {}

    @property
    def faq(self) -> Faq:
        """The listed questions."""
        return self._book.faq

    async def load(self, account: str | None = None) -> None:
        """Read the menus that still wait for a number, and who was told lately that they were not understood, of one
        account or of all."""
        now = self._clock()
        menus = select(FaqMenu).where(FaqMenu.expires_at > now)
        lately = select(FallbackSaid).where(FallbackSaid.at > now - FALLBACK_SECONDS)
        if account is not None:
            menus, lately = menus.where(FaqMenu.account == account), lately.where(FallbackSaid.account == account)
        for row in await self._store.read(lambda s: s.exec(menus).all()):
            self._menus[row.account, row.conversation, row.contact_id] = _Menu(tuple(row.questions), row.asked_at)
        for said in await self._store.read(lambda s: s.exec(lately).all()):
            self._fallbacks[said.account, said.contact_id] = said.at
        self._near.prepare()

    def drop(self, account: str) -> None:
        """Forget what is of an account."""
        self._menus = {who: menu for who, menu in self._menus.items() if who[0] != account}
        self._fallbacks = {who: at for who, at in self._fallbacks.items() if who[0] != account}

    # ---- answering ----

    def menu_since(self, who: Person) -> float:
        """When the person was offered a menu that still waits; 0 = none does."""
        menu = self._menus.get(who)
        return menu.asked_at if menu and menu.asked_at + MENU_SECONDS > self._clock() else 0.0

    def listed(self, who: Person, text: str) -> str | None:
        """The answer to a listed question, or to a number of the menu that was offered."""
        entry = self.faq.exact(text)
        if entry is not None:
            return entry.answer
        named = _CHOSEN.fullmatch(plain(text))
        if named is None or not self.menu_since(who):
            return None
        chosen, questions = _NUMBERS[named[1]], self._menus[who].questions
        entry = self.faq.exact(questions[chosen]) if chosen < len(questions) else None
        return entry.answer if entry else None

    async def other(self, who: Person, text: str) -> Decision | None:
        """What a question that is not listed gets: the model's answer, or a menu; None when nothing is near."""
        if self._llm.is_on:
            nearest = self.faq.entries
            if len(nearest) > 40:
                nearest = [near.entry for near in self.faq.nearest(text, 20, 0.0)]
            answer = await self._llm.answer(text, nearest)
            if answer is not None:
                return Decision(answer)
        offered = await self._near.nearest(text)
        if not offered:
            return None
        questions = tuple(near.question for near in offered)
        write = partial(self._offer, who=who, offered=offered, text=text)
        return Decision(self._menu_text(offered), write, choices=questions)

    def fallback(self, account: str, contact_id: str, text: str) -> Decision:
        """The person is told they were not understood, at most once in ten minutes; the question is counted."""
        now, who = self._clock(), (account, contact_id)
        silent = not self._settings.fallback or now - self._fallbacks.get(who, 0.0) < FALLBACK_SECONDS

        def write(session: Session) -> None:
            self.missed(session, account, text)
            if not silent:
                row = {"account": account, "contact_id": contact_id, "at": now}
                insert = self._store.insert(FallbackSaid).values(row)
                index = ["account", "contact_id"]
                session.connection().execute(insert.on_conflict_do_update(index_elements=index, set_={"at": now}))
                after_commit(session, lambda: self._remember(who, now))

        return Decision("" if silent else self._settings.fallback, write)

    def _remember(self, who: tuple[str, str], now: float) -> None:
        self._fallbacks[who] = now
        if len(self._fallbacks) > 10_000:
            self._fallbacks = {k: at for k, at in self._fallbacks.items() if now - at < FALLBACK_SECONDS}

    # ---- menus ----

    def _menu_text(self, offered: Sequence[Near]) -> str:
        lines = "\n".join(f"{number}. {near.question}" for number, near in enumerate(offered, 1))
        numbers = "、".join(str(number) for number in range(1, len(offered) + 1))
        return fill(self._texts.faq_menu, questions=lines, numbers=numbers)

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

    # ---- what nobody had listed ----

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
        """Forget menus that have run out, and what was missed before a time (Unix seconds)."""
        day, now = datetime.fromtimestamp(before, self._zone).date().isoformat(), self._clock()

        def write(session: Session) -> None:
            connection = session.connection()
            connection.execute(delete(FaqMenu).where(col(FaqMenu.expires_at) < now))
            connection.execute(delete(FallbackSaid).where(col(FallbackSaid.at) < now - FALLBACK_SECONDS))
            connection.execute(delete(FaqMiss).where(col(FaqMiss.day) < day))

        await self._store.write(write)


def top_misses(session: Session, number: int, *, account: str = "", since: str = "") -> list[tuple[str, int]]:
    """What was asked most often and is not listed: (question, times). `since`: the first day, as YYYY-MM-DD."""
    times = func.sum(FaqMiss.count)
    wanted = select(FaqMiss.question, times).group_by(col(FaqMiss.question))
    if account:
        wanted = wanted.where(FaqMiss.account == account)
    if since:
        wanted = wanted.where(FaqMiss.day >= since)
    rows = session.exec(wanted.order_by(times.desc(), col(FaqMiss.question)).limit(number)).all()
    return [(question, int(count)) for question, count in rows]
