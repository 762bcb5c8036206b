"""Changes of keywords and questions, with an audit entry each, inside a transaction."""

from __future__ import annotations

from sqlmodel import Session

from config.customer_service import KeywordRule
from errors import InvalidParameter, NotFound
from models.durable import Outcome
from models.faq import Question
from models.keywords import Keyword
from services.accounts.audit import Audit
from services.support.faq import Entry
from services.support.faq_entries import FaqEntries
from services.support.keywords import Keywords
from services.support.rule_files import import_keywords, import_questions


class KnowledgeEditor:
    """Edits keywords and questions. `number`: the group of a keyword, None = all conversations."""

    def __init__(self, keywords: Keywords, faq_entries: FaqEntries, audit: Audit) -> None:
        self._keywords = keywords
        self._faq_entries = faq_entries
        self._audit = audit

    # ---- keywords ----

    def put_keyword(
        self, session: Session, account: str, number: int | None, rule: KeywordRule, actor: str, old: int | None = None
    ) -> Keyword:
        """Add a rule, or replace the rule with the id `old`; raise NotFound if that does not exist."""
        before = session.get(Keyword, old) if old is not None else None
        if old is not None and (before is None or before.account != account):
            raise NotFound(f"keyword {old}")
        old_rule = _rule(before) if before else ""
        if before is not None:
            self._keywords.remove(session, before.id or 0)
        row = self._keywords.put(session, account, number, rule, actor)
        self._note(session, "keyword", account, number, row.word, actor, before=old_rule, after=_rule(row))
        return row

    def remove_keyword(self, session: Session, row_id: int, actor: str) -> None:
        """Delete a rule; raise NotFound."""
        row = self._keywords.remove(session, row_id)
        if row is None:
            raise NotFound(f"keyword {row_id}")
        self._note(session, "keyword_removed", row.account, row.number, row.word, actor, before=_rule(row))

    def set_reply(self, session: Session, account: str, number: int | None, word: str, reply: str, actor: str) -> bool:
        """Set the reply to messages that contain a word; return whether the word had another reply."""
        rows = self._keywords.drop(session, account, number, word)
        row = self._keywords.put(session, account, number, KeywordRule(contains=word, reply=reply), actor)
        before = "\n".join(map(_rule, rows))
        self._note(session, "keyword", account, number, word, actor, before=before, after=_rule(row))
        return bool(rows)

    def drop_word(self, session: Session, account: str, number: int | None, word: str, actor: str) -> bool:
        """Delete every rule for a word; return False if there was none."""
        rows = self._keywords.drop(session, account, number, word)
        if rows:
            before = "\n".join(map(_rule, rows))
            self._note(session, "keyword_removed", account, number, word, actor, before=before)
        return bool(rows)

    # ---- questions ----

    def put_question(self, session: Session, entry: Entry, actor: str, old: int | None = None) -> tuple[Question, bool]:
        """Add a question, or change the one with the id `old` (NotFound); return whether it is new."""
        if not entry.questions:
            raise InvalidParameter("questions: empty; allowed: at least one")
        row = session.get(Question, old) if old is not None else self._faq_entries.find_row(session, entry)
        if old is not None and row is None:
            raise NotFound(f"question {old}")
        before = _entry(row) if row else ""
        new = row is None
        if old is not None and row is not None:
            self._faq_entries.change(session, row, entry, actor)
        else:
            row, new = self._faq_entries.add(session, entry, actor)
        self._audit.record(session, "", "question", actor, str(row.id), Outcome.DONE, before=before, after=_entry(row))
        return row, new

    def remove_question(self, session: Session, number: int, actor: str) -> None:
        """Delete a question; raise NotFound."""
        row = self._faq_entries.remove(session, number)
        if row is None:
            raise NotFound(f"question {number}")
        self._audit.record(session, "", "question_removed", actor, str(number), Outcome.DONE, before=_entry(row))

    # ---- files ----

    def import_keywords(self, session: Session, account: str, text: str, actor: str) -> int:
        """Add the rules of a YAML list, all or none; return their number. Raises InvalidParameter with the reason."""
        count = import_keywords(session, self._keywords, account, None, text, actor)
        self._audit.record(session, account, "keywords_imported", actor, "", Outcome.DONE, count=str(count))
        return count

    def import_questions(self, session: Session, text: str, actor: str) -> int:
        """Add the entries of a faq.yaml, all or none; return their number. Raises InvalidParameter with the reason."""
        count = import_questions(session, self._faq_entries, text, actor)
        self._audit.record(session, "", "questions_imported", actor, "", Outcome.DONE, count=str(count))
        return count

    def _note(
        self, session: Session, kind: str, account: str, number: int | None, word: str, actor: str, **detail: str
    ) -> None:
        place = {} if number is None else {"number": str(number)}
        self._audit.record(session, account, kind, actor, word, Outcome.DONE, **place, **detail)


def _rule(row: Keyword) -> str:
    return f"{row.kind}: {row.word} = {row.reply}"


def _entry(row: Question) -> str:
    return f"{'|'.join(row.questions)} = {row.answer}"
