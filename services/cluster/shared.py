"""Data that every process keeps in memory.

A change increments a version in the same transaction, which the others poll, so no change is lost if the process dies
before it notifies them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from itertools import chain
from typing import Final

from sqlmodel import Session, col

from models.accounts import Admin, StoredAssistant
from models.cluster import SharedVersion
from models.db import Store, after_commit
from models.faq import Question
from models.fence import MemberFence
from models.keywords import Keyword
from models.rules import BlockedWord
from models.support import CannedReply

WORK: Final = "work:"  # followed by an account: other processes have queued work for it


class Shared(StrEnum):
    """A kind of shared data."""

    KEYWORDS = "keywords"
    QUESTIONS = "questions"
    BLOCKED_WORDS = "blocked_words"
    CANNED_REPLIES = "canned_replies"
    ADMINS = "admins"
    ASSISTANTS = "assistants"
    CONFIG = "config"  # each process reads its own file again


TABLES: Final[dict[type[object], Shared]] = {
    Keyword: Shared.KEYWORDS,
    Question: Shared.QUESTIONS,
    BlockedWord: Shared.BLOCKED_WORDS,
    CannedReply: Shared.CANNED_REPLIES,
    Admin: Shared.ADMINS,
    StoredAssistant: Shared.ASSISTANTS,
}


class SharedTables(MemberFence):
    """The transaction guard of a cluster member. `announce` is called after the commit with what changed."""

    def __init__(self, member: str, store: Store, announce: Callable[[str], None]) -> None:
        super().__init__(member)
        self._store = store
        self._announce = announce

    def flushed(self, session: Session) -> None:
        """Increment the versions of the shared data that was changed."""
        written: Iterable[object] = chain(session.new, session.dirty, session.deleted)
        kinds = {kind for row in written if (kind := TABLES.get(type(row))) is not None}
        for kind in sorted(kinds):  # in one order: no deadlock
            self.changed(session, kind)

    def promised(self, session: Session, account: str) -> None:
        """Record that there is new work for an account of another process."""
        self.changed(session, WORK + account)

    def changed(self, session: Session, kind: str) -> None:
        """Increment a version, once per transaction."""
        incremented: set[str] = session.info.setdefault("shared", set())
        if kind in incremented:
            return
        incremented.add(kind)
        insert = self._store.insert(SharedVersion).values(kind=kind, version=1)
        increment = {"version": col(SharedVersion.version) + 1}
        session.connection().execute(insert.on_conflict_do_update(index_elements=["kind"], set_=increment))
        after_commit(session, lambda: self._announce(kind))
