"""Blocked words: those of the config and added ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from sqlmodel import Session, col, select

from models.db import Store, after_commit
from models.durable import Outcome
from models.groups import Qun
from models.rules import BlockedWord
from services.accounts.audit import Audit
from services.clock import Clock
from services.moderation.offences import WordFilter, letters, plain

Scope = tuple[str, int | None]  # an account, and a group or (None) all of the account's
MAX_WORD: Final = 50  # characters


class WordOutcome(StrEnum):
    """The result of blocking or allowing a word."""

    DONE = "done"
    TOO_SHORT = "too short"  # nothing to look for, or one Latin letter, which nearly every message contains
    TOO_LONG = "too long"
    KNOWN = "known"  # it was added here before
    EVERYWHERE = "everywhere"  # it was added for all groups
    CONFIGURED = "configured"  # it is in the config
    UNKNOWN = "unknown"  # it is not blocked


class BlockedWords:
    """The blocked words, with a cached filter per group."""

    def __init__(self, store: Store, audit: Audit, configured: Sequence[str], clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._added: defaultdict[Scope, dict[str, str]] = defaultdict(dict)  # scope -> normalised word -> word
        self._filters: dict[int, WordFilter] = {}
        self.configure(configured)

    def configure(self, words: Sequence[str]) -> None:
        """Replace the words of the config."""
        self._configured = {_normalised(word): word for word in words}
        self._filters.clear()

    async def load(self) -> None:
        """Load the added words, also after another process has changed them."""
        added: defaultdict[Scope, dict[str, str]] = defaultdict(dict)
        for row in await self._store.read(lambda s: s.exec(select(BlockedWord).order_by(col(BlockedWord.id))).all()):
            added[row.account, row.number][_normalised(row.word)] = row.word
        self._added = added
        self._filters.clear()

    def filter(self, qun: Qun) -> WordFilter:
        """Return the filter for the words blocked in a group."""
        filter_ = self._filters.get(qun.number)
        if filter_ is None:
            filter_ = self._filters[qun.number] = WordFilter(
                [*self.configured, *self.of(qun.account, None), *self.of(qun.account, qun.number)]
            )
        return filter_

    def of(self, account: str, number: int | None) -> list[str]:
        """Return the words added for a group, or (number None) for all groups of the account."""
        return list(self._added[account, number].values())

    @property
    def configured(self) -> list[str]:
        """The words of the config, blocked everywhere."""
        return list(self._configured.values())

    def block(self, session: Session, account: str, number: int | None, word: str, actor: str) -> WordOutcome:
        """Block a word, inside a transaction, with an audit entry."""
        outcome = self._blockable(account, number, word)
        if outcome is not WordOutcome.DONE:
            return outcome
        session.add(BlockedWord(account=account, number=number, word=word, by=actor, created_at=self._clock()))
        self._note(session, "blocked_word", account, number, word, actor)
        after_commit(session, lambda: self._changed((account, number), _normalised(word), word))
        return outcome

    def allow(self, session: Session, account: str, number: int | None, word: str, actor: str) -> WordOutcome:
        """Unblock a word, inside a transaction, with an audit entry."""
        if _normalised(word) not in self._added[account, number]:
            return self._blocked_by(account, word)
        rows = select(BlockedWord).where(BlockedWord.account == account, BlockedWord.number == number)
        for row in session.exec(rows).all():
            if _normalised(row.word) == _normalised(word):
                session.delete(row)
        self._note(session, "blocked_word_removed", account, number, word, actor)
        after_commit(session, lambda: self._changed((account, number), _normalised(word), None))
        return WordOutcome.DONE

    def _blockable(self, account: str, number: int | None, word: str) -> WordOutcome:
        if len(word) > MAX_WORD:
            return WordOutcome.TOO_LONG
        compared = plain(word)
        if not compared.strip() or (len(letters(compared)) == 1 and compared.isascii()):
            return WordOutcome.TOO_SHORT
        if _normalised(word) in self._added[account, number]:
            return WordOutcome.KNOWN
        blocked_by = self._blocked_by(account, word)
        return WordOutcome.DONE if blocked_by is WordOutcome.UNKNOWN else blocked_by

    def _blocked_by(self, account: str, word: str) -> WordOutcome:
        """Return where a word is blocked for every group."""
        if _normalised(word) in self._configured:
            return WordOutcome.CONFIGURED
        return WordOutcome.EVERYWHERE if _normalised(word) in self._added[account, None] else WordOutcome.UNKNOWN

    def _note(self, session: Session, kind: str, account: str, number: int | None, word: str, actor: str) -> None:
        detail = {} if number is None else {"number": str(number)}
        self._audit.record(session, account, kind, actor, word, Outcome.DONE, **detail)

    def _changed(self, scope: Scope, normalised: str, word: str | None) -> None:
        if word is None:
            self._added[scope].pop(normalised, None)
        else:
            self._added[scope][normalised] = word
        self._filters.clear()


def _normalised(word: str) -> str:
    normalised = plain(word).strip()
    return letters(normalised) or normalised
