"""Keyword replies: those added by chat (kept in the database) come before those of the config."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete
from sqlmodel import Session, col, select

from config import ConfigError
from config.customer_service import KeywordRule, ReplyPart
from models.db import Store, after_commit
from models.keywords import Keyword
from services.support.matching import Match, RuleSet, WordIndex
from services.text import normal

Place = tuple[str, int | None]  # an account, and one of its groups or (None) all its conversations


def missing_files(rules: Sequence[KeywordRule]) -> list[str]:
    """The files that replies name and nobody finds."""
    parts = [part for rule in rules if not isinstance(rule.reply, str) for part in rule.reply]
    paths = [part.image or part.file for part in parts if isinstance(part, ReplyPart)]
    return [path for path in dict.fromkeys(paths) if path and not Path(path).is_file()]


class Keywords:
    """Answers by keyword without touching the database: all rules are kept in memory."""

    def __init__(self, store: Store, rules: Sequence[KeywordRule]) -> None:
        """ConfigError when a rule's file is not there."""
        for path in missing_files(rules):
            raise ConfigError(f"customer_service.keywords: there is no file {path!r}")
        self._store = store
        self._private = RuleSet(rules, "private")
        self._group = RuleSet(rules, "group")
        self._chat: dict[Place, WordIndex[KeywordRule]] = {}

    async def load(self) -> None:
        """Read the rules that were added by chat."""
        for row in await self._store.read(lambda s: s.exec(select(Keyword).order_by(col(Keyword.id))).all()):
            self._put(row.account, row.number, row.word, row.reply)

    # ---- answering ----

    def find(self, account: str, text: str, number: int | None = None, *, group: bool = False) -> Match | None:
        """The rule for a text; `group`: it was said in a group, `number`: in this one of ours."""
        if self._chat:
            plain = normal(text)
            places = ((account, number), (account, None)) if number is not None else ((account, None),)
            for place in places:
                words = self._chat.get(place)
                rule = words.find(plain) if words else None
                if rule is not None:
                    return Match(rule)
        return (self._group if group else self._private).find(text)

    # ---- rules by chat ----

    def add(self, session: Session, account: str, number: int | None, word: str, reply: str, by: str) -> None:
        """Have a word answered in one group, or (None) everywhere; an older reply to it is replaced."""
        self._delete(session, account, number, word)
        session.add(Keyword(account=account, number=number, word=normal(word), reply=reply, by=by))
        after_commit(session, lambda: self._put(account, number, word, reply))

    def drop(self, session: Session, account: str, number: int | None, word: str) -> bool:
        """Forget a word; False when there was no such rule."""
        after_commit(session, lambda: self._forget(account, number, word))
        return self._delete(session, account, number, word) > 0

    def listed(self, session: Session, account: str, number: int | None) -> Sequence[Keyword]:
        """The rules of one group (or of all places), in the order they were added."""
        mine = select(Keyword).where(Keyword.account == account, col(Keyword.number).is_not_distinct_from(number))
        return session.exec(mine.order_by(col(Keyword.id))).all()

    def _delete(self, session: Session, account: str, number: int | None, word: str) -> int:
        same = col(Keyword.number).is_not_distinct_from(number)
        wanted = delete(Keyword).where(col(Keyword.account) == account, same, col(Keyword.word) == normal(word))
        return session.connection().execute(wanted).rowcount

    def _put(self, account: str, number: int | None, word: str, reply: str) -> None:
        rule = KeywordRule(contains=word, reply=reply)
        self._chat.setdefault((account, number), WordIndex()).add(word, rule, replace=True)

    def _forget(self, account: str, number: int | None, word: str) -> None:
        words = self._chat.get((account, number))
        if words is not None:
            words.drop(word)
