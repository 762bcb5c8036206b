"""Menus of similar questions, from which a person chooses by number."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete
from sqlmodel import Session, col, select

from models.db import Store, after_commit
from models.faq import FaqMenu
from services.clock import Clock

MENU_SECONDS: Final = 600.0  # seconds within which a number is a choice
MAX_MENUS: Final = 10_000  # in memory

Person = tuple[str, str, str]  # account, conversation, contact id


@dataclass(frozen=True, slots=True)
class _Menu:
    questions: tuple[str, ...]
    offered_at: float


class QuestionMenus:
    """The open menus, cached in memory, so that answering needs no database read."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._menus: dict[Person, _Menu] = {}

    async def load(self, accounts: Collection[str] | None = None) -> None:
        """Load the open menus of some accounts or of all."""
        query = select(FaqMenu).where(FaqMenu.expires_at > self._clock())
        if accounts is not None:
            query = query.where(col(FaqMenu.account).in_(accounts))
        for row in await self._store.read(lambda s: s.exec(query).all()):
            self._menus[row.account, row.conversation, row.contact_id] = _Menu(tuple(row.questions), row.asked_at)

    def drop(self, account: str) -> None:
        """Drop the menus of an account."""
        self._menus = {person: menu for person, menu in self._menus.items() if person[0] != account}

    def offered_at(self, person: Person) -> float:
        """Return when the person's open menu was offered, or 0."""
        menu = self._menus.get(person)
        return menu.offered_at if menu and menu.offered_at + MENU_SECONDS > self._clock() else 0.0

    def questions(self, person: Person) -> Sequence[str]:
        """Return the questions of the person's open menu; empty without one."""
        return self._menus[person].questions if self.offered_at(person) else ()

    def offer(self, session: Session, person: Person, questions: Sequence[str]) -> None:
        """Replace the person's menu, inside a transaction."""
        now = self._clock()
        values = {"questions": list(questions), "asked_at": now, "expires_at": now + MENU_SECONDS}
        keys = dict(zip(("account", "conversation", "contact_id"), person, strict=True))
        insert = self._store.insert(FaqMenu).values({**keys, **values})
        session.connection().execute(insert.on_conflict_do_update(index_elements=list(keys), set_=values))
        after_commit(session, lambda: self._remember(person, _Menu(tuple(questions), now)))

    def close(self, session: Session, person: Person) -> None:
        """Delete the person's menu, inside a transaction."""
        account, conversation, contact_id = person
        condition = col(FaqMenu.account) == account, col(FaqMenu.conversation) == conversation
        session.connection().execute(delete(FaqMenu).where(*condition, col(FaqMenu.contact_id) == contact_id))
        after_commit(session, lambda: self._menus.pop(person, None))

    def _remember(self, person: Person, menu: _Menu) -> None:
        self._menus[person] = menu
        if len(self._menus) > MAX_MENUS:
            self._menus = {k: m for k, m in self._menus.items() if m.offered_at + MENU_SECONDS > menu.offered_at}

    def prune(self, session: Session, before: float) -> None:
        """Delete the menus that have expired, inside a transaction."""
        session.connection().execute(delete(FaqMenu).where(col(FaqMenu.expires_at) < self._clock()))
