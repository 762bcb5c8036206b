"""Counts the questions that the FAQ does not list, by day."""

from __future__ import annotations

from typing import Final

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from models.db import Store
from models.faq import FaqMiss
from services.clock import LocalTime
from services.support.faq import plain

MAX_QUESTION: Final = 100  # characters; longer texts are not questions


class MissedQuestions:
    """The counters of unlisted questions."""

    def __init__(self, store: Store, local_time: LocalTime) -> None:
        self._store = store
        self._local_time = local_time

    def count(self, session: Session, account: str, text: str) -> None:
        """Count a question, inside a transaction."""
        question = plain(text)
        if not question or len(question) > MAX_QUESTION:
            return
        day = self._local_time.today().isoformat()
        insert = self._store.insert(FaqMiss).values(account=account, day=day, question=question, count=1)
        increment = {"count": col(FaqMiss.count) + 1}
        keys = ["account", "day", "question"]
        session.connection().execute(insert.on_conflict_do_update(index_elements=keys, set_=increment))

    def prune(self, session: Session, before: float) -> None:
        """Delete the counters before a time (Unix seconds), inside a transaction."""
        day = self._local_time.at(before).date().isoformat()
        session.connection().execute(delete(FaqMiss).where(col(FaqMiss.day) < day))


def most_missed(
    session: Session, number: int, *, account: str = "", since: str = "", until: str = ""
) -> list[tuple[str, int]]:
    """Return the most frequent unlisted questions as (question, times). `since`, `until`: days, YYYY-MM-DD."""
    times = func.sum(FaqMiss.count)
    query = select(FaqMiss.question, times).group_by(col(FaqMiss.question))
    if account:
        query = query.where(FaqMiss.account == account)
    if since:
        query = query.where(FaqMiss.day >= since)
    if until:
        query = query.where(FaqMiss.day <= until)
    rows = session.exec(query.order_by(times.desc(), col(FaqMiss.question)).limit(number)).all()
    return [(question, int(count)) for question, count in rows]
