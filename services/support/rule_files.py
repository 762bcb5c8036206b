"""Import and export of added keywords and questions, in the YAML format of the config files."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError
from sqlmodel import Session

from config.customer_service import KeywordRule
from config.error_messages import Origin, one_line
from errors import InvalidParameter
from services.support.faq import Entry
from services.support.faq_entries import FaqEntries
from services.support.keywords import Keywords, rule_of
from yaml_file import YamlFile, reason


def export_keywords(session: Session, keywords: Keywords, account: str, number: int | None) -> str:
    """Export the rules of a place in the format of customer_service.keywords."""
    rules = [rule_of(row).model_dump(exclude_defaults=True) for row in keywords.added_rows(session, account, number)]
    return _dump(rules)


def import_keywords(session: Session, keywords: Keywords, account: str, number: int | None, text: str, by: str) -> int:
    """Add the rules of a YAML list; return their number. Raises InvalidParameter with the reason."""
    rules: list[KeywordRule] = _read(text, TypeAdapter(list[KeywordRule]))
    for rule in rules:
        keywords.put(session, account, number, rule, by)
    return len(rules)


def export_questions(session: Session, faq_entries: FaqEntries) -> str:
    """Export the added questions in the format of faq.yaml."""
    return _dump([{"questions": row.questions, "answer": row.answer} for row in faq_entries.added_rows(session)])


def import_questions(session: Session, faq_entries: FaqEntries, text: str, by: str) -> int:
    """Add the entries of a faq.yaml; return their number. Raises InvalidParameter with the reason."""
    entries: list[Entry] = _read(text, TypeAdapter(list[Entry]))
    for entry in entries:
        faq_entries.add(session, entry, by)
    return len(entries)


def _dump(data: Any) -> str:
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=10_000)


def _read(text: str, adapter: TypeAdapter[Any]) -> Any:
    try:
        file = YamlFile(text)
    except yaml.YAMLError as error:
        raise InvalidParameter(f"invalid YAML: {reason(error, text)}") from None
    try:
        return adapter.validate_python(file.value or [])
    except ValidationError as error:
        raise InvalidParameter(one_line(error, file.value, Origin(file))) from None
