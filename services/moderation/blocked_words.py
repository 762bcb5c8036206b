"""Blocked words of the config and of groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlmodel import Session, col, select

from models.db import Store, after_commit
from models.groups import Qun
from models.rules import BlockedWord
from services.clock import Clock
from services.moderation.offences import WordFilter, letters, plain

Scope = tuple[str, int | None]  # an account, and a group or (None) all groups of the account


class BlockedWords:
    """The blocked words, with a cached filter per group."""

    def __init__(self, store: Store, configured: Sequence[str], clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._added: defaultdict[Scope, dict[str, str]] = defaultdict(dict)  # scope -> normalised word -> word
        self._filters: dict[int, WordFilter] = {}
        self.configure(configured)

    def configure(self, words: Sequence[str]) -> None:
        """Replace the words of the config."""
        self._configured = {_shape(word): word for word in words}
        self._filters.clear()

    async def load(self) -> None:
        """Load the added words."""
        for row in await self._store.read(lambda s: s.exec(select(BlockedWord).order_by(col(BlockedWord.id))).all()):
            self._added[row.account, row.number][_shape(row.word)] = row.word

    def filter(self, qun: Qun) -> WordFilter:
        """Return the filter for the words blocked in a group."""
        found = self._filters.get(qun.number)
        if found is None:
            found = self._filters[qun.number] = WordFilter(
                [*self.configured, *self.of(qun.account, None), *self.of(qun.account, qun.number)]
            )
        return found

    def of(self, account: str, number: int | None) -> list[str]:
        """Return the words added for a group, or (number None) for all groups of the account."""
        return list(self._added[account, number].values())

    @property
    def configured(self) -> list[str]:
        """The words of the config, blocked everywhere."""
        return list(self._configured.values())

    def is_configured(self, word: str) -> bool:
        """Whether the config blocks the word, after normalisation."""
        return _shape(word) in self._configured

    def has(self, account: str, number: int | None, word: str) -> bool:
        """Whether the word was added in this scope, after normalisation."""
        return _shape(word) in self._added[account, number]

    def add(self, session: Session, account: str, number: int | None, word: str, by: str) -> None:
        """Block a word, inside a transaction."""
        session.add(BlockedWord(account=account, number=number, word=word, by=by, created_at=self._clock()))
        after_commit(session, lambda: self._changed((account, number), _shape(word), word))

    def remove(self, session: Session, account: str, number: int | None, word: str) -> None:
        """Unblock a word, inside a transaction."""
        rows = select(BlockedWord).where(BlockedWord.account == account, BlockedWord.number == number)
        for row in session.exec(rows).all():
            if _shape(row.word) == _shape(word):
                session.delete(row)
        after_commit(session, lambda: self._changed((account, number), _shape(word), None))

    def _changed(self, scope: Scope, shape: str, word: str | None) -> None:
        if word is None:
            self._added[scope].pop(shape, None)
        else:
            self._added[scope][shape] = word
        self._filters.clear()


def _shape(word: str) -> str:
    shape = plain(word).strip()
    return letters(shape) or shape
