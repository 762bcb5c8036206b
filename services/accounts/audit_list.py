"""Pages of the audit log, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select

from models.durable import Action
from services.paging import Page, PageRequest, page_of


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Selects entries; empty fields select all.

    `since`: Unix seconds. `q`: a part of the actor or target; `ids`: further actors and targets, found by name.
    """

    since: float | None = None
    kind: str = ""
    who: str = ""
    q: str = ""
    ids: Sequence[str] = ()


def list_actions(session: Session, criteria: AuditFilter, page: PageRequest) -> Page[Action]:
    """Return a page of matching entries."""
    query = select(Action)
    if criteria.kind:
        query = query.where(Action.kind == criteria.kind)
    if criteria.who:
        query = query.where(Action.who == criteria.who)
    if criteria.q:
        query = query.where(_concerns(criteria.q, criteria.ids))
    if criteria.since is not None:
        first = _first_since(session, criteria.since)
        if first is None:
            return Page([])
        query = query.where(col(Action.id) >= first)
    if page.before is not None:
        query = query.where(col(Action.id) < page.bound)
    rows = session.exec(query.order_by(col(Action.id).desc()).limit(page.limit + 1)).all()
    return page_of(rows, page, lambda action: action.id)


def _concerns(q: str, ids: Sequence[str]) -> ColumnElement[bool]:
    actors = [f"{prefix}:{id}" for prefix in ("person", "console") for id in ids]
    return or_(
        col(Action.who).contains(q, autoescape=True),
        col(Action.target).contains(q, autoescape=True),
        col(Action.who).in_(actors),
        col(Action.target).in_(ids),
    )


def _first_since(session: Session, since: float) -> int | None:
    """Return the id of the first entry at or after a time; ids and times increase together."""
    first = select(Action.id).where(col(Action.at) >= since).order_by(col(Action.at), col(Action.id)).limit(1)
    return session.exec(first).first()
