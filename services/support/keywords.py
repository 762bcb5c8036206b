"""Keyword replies: rules added by people take precedence over those of the config."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from config.customer_service import KeywordRule
from models.db import Store, after_commit
from models.keywords import Keyword
from services.support.matching import Match, RulesByPlace
from services.text import normal

Scope = tuple[str, int | None]  # an account, and a group or (None) all conversations


def rule_of(row: Keyword) -> KeywordRule:
    """Return the rule of a row."""
    reply = json.loads(row.reply) if row.parts else row.reply
    return KeywordRule(**{row.kind: row.word}, reply=reply, where=row.place)


class Keywords:
    """All keyword rules, in memory."""

    def __init__(self, store: Store, rules: Sequence[KeywordRule]) -> None:
        self._store = store
        self._configured = RulesByPlace(rules)
        self._added: defaultdict[Scope, dict[int, KeywordRule]] = defaultdict(dict)
        self._indexed: dict[Scope, RulesByPlace] = {}  # indexes of `_added`, created on first use after a change

    async def load(self) -> None:
        """Load the added rules, also after another process has changed them."""
        added: defaultdict[Scope, dict[int, KeywordRule]] = defaultdict(dict)
        for row in await self._store.read(lambda s: s.exec(select(Keyword).order_by(col(Keyword.id))).all()):
            added[row.account, row.number][row.id or 0] = rule_of(row)
        self._added, self._indexed = added, {}

    def configure(self, rules: RulesByPlace) -> None:
        """Replace the rules of the config."""
        self._configured = rules

    # ---- answering ----

    def find(self, account: str, text: str, number: int | None = None, *, group: bool = False) -> Match | None:
        """Return the matching rule of a text; `group`: it is from a group, `number`: the group, if it is a qun."""
        kind = "group" if group else "private"
        if self._added:
            places = ((account, number), (account, None)) if number is not None else ((account, None),)
            for place in places:
                match = self._rules(place).find(text, kind) if place in self._added else None
                if match is not None:
                    return match
        return self._configured.find(text, kind)

    def _rules(self, place: Scope) -> RulesByPlace:
        rules = self._indexed.get(place)
        if rules is None:
            rules = self._indexed[place] = RulesByPlace(list(self._added[place].values()))
        return rules

    # ---- added rules; inside a transaction ----

    def put(self, session: Session, account: str, number: int | None, rule: KeywordRule, by: str) -> Keyword:
        """Add a rule, replacing one of the same kind, word and place."""
        kind = "equals" if rule.equals else "contains" if rule.contains else "regex"
        word = rule.regex or normal(rule.equals or rule.contains)
        is_text = isinstance(rule.reply, str)
        values: dict[str, Any] = {
            "kind": kind,
            "word": word,
            "place": rule.where,
            "parts": not is_text,
            "reply": rule.reply if is_text else json.dumps(rule.model_dump(mode="json")["reply"], ensure_ascii=False),
            "by": by,
        }
        query = self._added_rules(account, number).where(
            Keyword.kind == kind, Keyword.word == word, Keyword.place == rule.where
        )
        row = session.exec(query).first() or Keyword(account=account, number=number, **values)
        row.sqlmodel_update(values)
        session.add(row)
        session.flush()
        row_id, stored = row.id or 0, rule_of(row)
        after_commit(session, lambda: self._update_cache((account, number), row_id, stored))
        return row

    def drop(self, session: Session, account: str, number: int | None, word: str) -> Sequence[Keyword]:
        """Delete every rule for a word; return them."""
        rows = session.exec(self._added_rules(account, number).where(Keyword.word == normal(word))).all()
        for row in rows:
            self._remove(session, row)
        return rows

    def remove(self, session: Session, row_id: int) -> Keyword | None:
        """Delete a rule by its id; return None if there is none."""
        row = session.get(Keyword, row_id)
        if row is not None:
            self._remove(session, row)
        return row

    def added_rows(self, session: Session, account: str, number: int | None) -> Sequence[Keyword]:
        """Return the rules of a group (or of all places), in the order of insertion."""
        return session.exec(self._added_rules(account, number).order_by(col(Keyword.id))).all()

    def _added_rules(self, account: str, number: int | None) -> SelectOfScalar[Keyword]:
        condition = col(Keyword.account) == account
        return select(Keyword).where(condition, col(Keyword.number).is_not_distinct_from(number))

    def _remove(self, session: Session, row: Keyword) -> None:
        place, row_id = (row.account, row.number), row.id or 0
        session.delete(row)
        session.flush()
        after_commit(session, lambda: self._update_cache(place, row_id, None))

    def _update_cache(self, place: Scope, row_id: int, rule: KeywordRule | None) -> None:
        if rule is None:
            self._added[place].pop(row_id, None)
        else:
            self._added[place][row_id] = rule
        self._indexed.pop(place, None)
