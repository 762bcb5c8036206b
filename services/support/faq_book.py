"""The listed questions in force: those that people added, kept in the database, before those of the file."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from models.db import Store, after_commit
from models.faq import Question
from services.clock import Clock
from services.support.faq import Entry, Faq, plain


class FaqBook:
    """Keeps the questions and the index over them; the index is built again when it is first asked after a change."""

    def __init__(self, store: Store, entries: Sequence[Entry], clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._added: dict[int, Entry] = {}
        self.entries = list(entries)  # of the file
        self._faq: Faq | None = None

    async def load(self) -> None:
        """Read what people added; again when another process has changed it."""
        rows = await self._store.read(self.listed)
        self._added = {row.id or 0: Entry(questions=row.questions, answer=row.answer) for row in rows}
        self._faq = None

    @property
    def faq(self) -> Faq:
        """The questions, to be looked up."""
        if self._faq is None:
            self._faq = Faq([*reversed(self._added.values()), *self.entries])  # the newest goes first
        return self._faq

    def configure(self, entries: Sequence[Entry]) -> None:
        """Take other entries of the file from now on."""
        self.entries = list(entries)
        self._faq = None

    # ---- what people add; inside a transaction ----

    def listed(self, session: Session) -> Sequence[Question]:
        """What people added, the oldest first."""
        return session.exec(select(Question).order_by(col(Question.id))).all()

    def add(self, session: Session, entry: Entry, by: str) -> tuple[Question, bool]:
        """Add an entry; one that lists the first of its questions is changed instead. Says whether it is new."""
        first = plain(entry.questions[0])
        for row in self.listed(session):
            if first in map(plain, row.questions):
                questions = [*row.questions, *(q for q in entry.questions if q not in row.questions)]
                self.change(session, row, Entry(questions=questions, answer=entry.answer), by)
                return row, False
        now = self._clock()
        row = Question(questions=entry.questions, answer=entry.answer, by=by, created_at=now, updated_at=now)
        session.add(row)
        session.flush()
        number = row.id or 0
        after_commit(session, lambda: self._keep(number, entry))
        return row, True

    def change(self, session: Session, row: Question, entry: Entry, by: str) -> None:
        """Give a row other questions and another answer."""
        row.sqlmodel_update({**entry.model_dump(), "by": by, "updated_at": self._clock()})
        session.add(row)
        session.flush()
        number = row.id or 0
        after_commit(session, lambda: self._keep(number, entry))

    def remove(self, session: Session, number: int) -> Question | None:
        """Forget an entry; None when there is none of this number."""
        row = session.get(Question, number)
        if row is None:
            return None
        session.delete(row)
        after_commit(session, lambda: self._keep(number, None))
        return row

    def _keep(self, number: int, entry: Entry | None) -> None:
        if entry is None:
            self._added.pop(number, None)
        else:
            self._added[number] = entry
        self._faq = None
