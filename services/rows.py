"""Reading and writing membership rows inside a transaction."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session, select

from models.groups import Membership, Qun


def lock_group(session: Session, number: int) -> None:
    """Let no other transaction change who is in the group until this one ends (where a database has several writers;
    SQLite has one)."""
    session.exec(select(Qun.number).where(Qun.number == number).with_for_update()).first()


def membership_of(session: Session, number: int, who: str) -> Membership | None:
    """The row of a person (WeChat id, or name:…) in a group."""
    return session.exec(select(Membership).where(Membership.number == number, Membership.who == who)).first()


def put_membership(
    session: Session, qun: Qun, now: float, *, name: str, contact_id: str | None, **values: Any
) -> Membership:
    """Insert or change the row of a person in a group."""
    lock_group(session, qun.number)
    who = contact_id or f"name:{name}"
    row = membership_of(session, qun.number, who) or Membership(
        number=qun.number, who=who, account=qun.account, contact_id=contact_id, name=name, created_at=now
    )
    changes = {"expires_at": None, "error": "", **values, "name": name or row.name, "updated_at": now}
    row.sqlmodel_update(changes | {"contact_id": contact_id})
    session.add(row)
    session.flush()
    return row
