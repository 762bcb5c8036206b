"""The FAQ entries in use: those added by people, stored in the database, take precedence over those of the file."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from models.db import Store, after_commit
from models.faq import Question
from services.clock import Clock
from services.support.faq import Entry, FaqIndex, plain
from services.support.knowledge import Passage


class FaqEntries:
    """Holds questions and passages and an index of them, which is rebuilt at the first query after a change."""

    def __init__(
        self, store: Store, entries: Sequence[Entry], clock: Clock, *, passages: Sequence[Passage] = ()
    ) -> None:
        self._store = store
        self._clock = clock
        self._added: dict[int, Entry] = {}
        self.entries = list(entries)  # of the file
        self.passages = list(passages)  # of the folder
        self._index: FaqIndex | None = None

    async def load(self) -> None:
        """Load the added entries; again when another process has changed them."""
        rows = await self._store.read(self.added_rows)
        self._added = {row.id or 0: Entry(questions=row.questions, answer=row.answer) for row in rows}
        self._index = None

    @property
    def index(self) -> FaqIndex:
        """The index of all entries."""
        if self._index is None:
            newest_first = reversed(self._added.values())
            self._index = FaqIndex([*newest_first, *self.entries, *self.passages])
        return self._index

    def configure(self, entries: Sequence[Entry], passages: Sequence[Passage]) -> None:
        """Take other entries of the file, and other passages of the folder, from now on."""
        self.entries, self.passages = list(entries), list(passages)
        self._index = None

    # ---- added entries; inside a transaction ----

    def added_rows(self, session: Session) -> Sequence[Question]:
        """Return the added entries, oldest first."""
        return session.exec(select(Question).order_by(col(Question.id))).all()

    def find_row(self, session: Session, entry: Entry) -> Question | None:
        """Return the row that lists the first question of an entry."""
        first = plain(entry.questions[0])
        return next((row for row in self.added_rows(session) if first in map(plain, row.questions)), None)

    def add(self, session: Session, entry: Entry, by: str) -> tuple[Question, bool]:
        """Add an entry, or extend the one that lists its first question. Return the row and whether it is new."""
        existing = self.find_row(session, entry)
        if existing is not None:
            questions = [*existing.questions, *(q for q in entry.questions if q not in existing.questions)]
            self.change(session, existing, Entry(questions=questions, answer=entry.answer), by)
            return existing, False
        now = self._clock()
        row = Question(questions=entry.questions, answer=entry.answer, by=by, created_at=now, updated_at=now)
        session.add(row)
        session.flush()
        number = row.id or 0
        after_commit(session, lambda: self._update_cache(number, entry))
        return row, True

    def change(self, session: Session, row: Question, entry: Entry, by: str) -> None:
        """Replace the questions and answer of a row."""
        row.sqlmodel_update({**entry.model_dump(), "by": by, "updated_at": self._clock()})
        session.add(row)
        session.flush()
        number = row.id or 0
        after_commit(session, lambda: self._update_cache(number, entry))

    def remove(self, session: Session, number: int) -> Question | None:
        """Delete an entry; return None if there is none of this number."""
        row = session.get(Question, number)
        if row is None:
            return None
        session.delete(row)
        after_commit(session, lambda: self._update_cache(number, None))
        return row

    def _update_cache(self, number: int, entry: Entry | None) -> None:
        if entry is None:
            self._added.pop(number, None)
        else:
            self._added[number] = entry
        self._index = None
