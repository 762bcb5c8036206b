"""Replies to questions that were not understood."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete
from sqlmodel import Session, col, select

from config.customer_service import CustomerService
from config.texts import Texts
from models.conversations import FallbackSent
from models.db import Store, after_commit
from services.clock import Clock
from services.decision import Decision
from services.support.missed_questions import MissedQuestions

FALLBACK_SECONDS: Final = 600.0
MAX_FALLBACKS: Final = 2  # in that time; the second one has another text
MAX_PEOPLE: Final = 10_000  # in memory


@dataclass(frozen=True, slots=True)
class _Fallback:
    at: float  # the first time
    times: int


class Fallbacks:
    """The fallback replies; recent ones are cached in memory."""

    def __init__(
        self, store: Store, missed: MissedQuestions, settings: CustomerService, texts: Texts, clock: Clock
    ) -> None:
        self._store = store
        self._missed = missed
        self._settings = settings
        self._texts = texts
        self._clock = clock
        self._recent: dict[tuple[str, str], _Fallback] = {}  # by account and contact id

    async def load(self, accounts: Collection[str] | None = None) -> None:
        """Load the recent replies of some accounts or of all."""
        query = select(FallbackSent).where(FallbackSent.at > self._clock() - FALLBACK_SECONDS)
        if accounts is not None:
            query = query.where(col(FallbackSent.account).in_(accounts))
        for row in await self._store.read(lambda s: s.exec(query).all()):
            self._recent[row.account, row.contact_id] = _Fallback(row.at, row.times)

    def drop(self, account: str) -> None:
        """Drop the data of an account."""
        self._recent = {person: fallback for person, fallback in self._recent.items() if person[0] != account}

    def reply(self, account: str, contact_id: str, text: str, *, hint: str = "") -> Decision:
        """Reply to a question that was not understood, and count it.

        Within ten minutes, the second reply offers a person in other words; after that there is none.
        """
        now, person = self._clock(), (account, contact_id)
        last = self._recent.get(person)
        if last is None or now - last.at >= FALLBACK_SECONDS:
            latest, reply = _Fallback(now, 1), self._settings.fallback
        else:
            latest, reply = _Fallback(last.at, last.times + 1), self._texts.fallback_again
        gives_no_reply = not self._settings.fallback or not reply or latest.times > MAX_FALLBACKS

        def write(session: Session) -> None:
            self._missed.count(session, account, text)
            if not gives_no_reply:
                keys, values = {"account": account, "contact_id": contact_id}, {"at": latest.at, "times": latest.times}
                insert = self._store.insert(FallbackSent).values({**keys, **values})
                session.connection().execute(insert.on_conflict_do_update(index_elements=list(keys), set_=values))
                after_commit(session, lambda: self._remember(person, latest))

        return Decision("" if gives_no_reply else f"{reply}\n{hint}".strip(), write)

    def _remember(self, person: tuple[str, str], latest: _Fallback) -> None:
        self._recent[person] = latest
        if len(self._recent) > MAX_PEOPLE:
            since = latest.at - FALLBACK_SECONDS
            self._recent = {k: fallback for k, fallback in self._recent.items() if fallback.at > since}

    def prune(self, session: Session, before: float) -> None:
        """Delete the replies that are no longer recent, inside a transaction."""
        since = self._clock() - FALLBACK_SECONDS
        session.connection().execute(delete(FallbackSent).where(col(FallbackSent.at) < since))
