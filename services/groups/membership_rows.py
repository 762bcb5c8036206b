"""Access to membership rows inside a transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import and_, or_
from sqlmodel import Session, col, select

from models.groups import Membership, MembershipSource, MemberState, Qun

STRANGER_SUFFIX: Final = "@stranger"  # end of the ids that gateways give to people who are not friends
# People who wait to become friends, and those a gateway listed as friends under such an id but could not add.
_IS_PENDING: Final = or_(
    col(Membership.state) == MemberState.WAITING_FRIEND,
    and_(
        col(Membership.state).in_((MemberState.REQUESTED, MemberState.ADDING)),
        col(Membership.who).endswith(STRANGER_SUFFIX),
    ),
)


def membership_of(session: Session, number: int, key: str) -> Membership | None:
    """Return the membership of a person (WeChat id, or name:…) in a group."""
    return session.exec(select(Membership).where(Membership.number == number, Membership.who == key)).first()


def put_membership(
    session: Session, qun: Qun, now: float, *, name: str, contact_id: str | None, **values: Any
) -> Membership:
    """Insert or update the membership of a person in a group."""
    key = contact_id or f"name:{name}"
    row = membership_of(session, qun.number, key) or Membership(
        number=qun.number, who=key, account=qun.account, contact_id=contact_id, name=name, created_at=now
    )
    changes = {"expires_at": None, "error": "", **values, "name": name or row.name, "updated_at": now}
    row.sqlmodel_update(changes | {"contact_id": contact_id})
    session.add(row)
    session.flush()
    return row


def move(session: Session, row: Membership, now: float, state: str, error: str, until: float) -> None:
    """Move a membership to another open state, with an expiry time."""
    row.sqlmodel_update({"state": state, "error": error, "updated_at": now, "expires_at": until})
    session.add(row)


def adopt_pending(
    session: Session, account: str, contact_id: str, names: Collection[str], now: float
) -> list[Membership]:
    """Assign the open memberships requested for `names` to a person who has become a friend, and return them.

    The id of a membership stays readable: if the person already has a membership of the group, the row refers to it.
    """
    waiting = select(Membership).where(
        Membership.account == account,
        _IS_PENDING,
        col(Membership.who).in_({contact_id, *names}),
        col(Membership.expires_at) > now,
    )
    requested: dict[int, Membership] = {}
    for waiting_row in session.exec(waiting).all():
        row = _reassigned(session, waiting_row, contact_id)
        if row is not None:
            row.state, row.updated_at = MemberState.REQUESTED, now
            row.source = MembershipSource.FRIEND if row.source == MembershipSource.REST else row.source
            session.add(row)
            requested[row.id or 0] = row
    return list(requested.values())


def earlier_ids(session: Session, account: str, contact_id: str, weixin: str, name: str) -> set[str]:
    """Return the ids under which a new friend may have requested to join.

    Gateways identify people by their 微信号 or, until they are friends, by a temporary id. Of the latter only one may
    have the name.
    """
    waiting = select(Membership.contact_id, Membership.name).where(
        Membership.account == account,
        _IS_PENDING,
        Membership.source == MembershipSource.MESSAGE,  # the person asked to join, in a message
        col(Membership.contact_id) != contact_id,
    )
    rows = session.exec(waiting).all()
    unique_ids = {id for id, _ in rows if id and id == weixin}
    temporary_ids = {id for id, called in rows if id and id.endswith(STRANGER_SUFFIX) and called and called == name}
    return unique_ids | (temporary_ids if len(temporary_ids) == 1 else set())


def reassign_request(session: Session, number: int, contact_id: str, *called: str) -> None:
    """Assign memberships in a group that wait for this person's id, or for what they are `called`, to the person."""
    names = [f"name:{name}" for name in (contact_id, *called) if name]
    waiting = select(Membership).where(
        Membership.number == number,
        col(Membership.state).in_((MemberState.WAITING_FRIEND, MemberState.INVITED)),
        col(Membership.who).in_(names),
    )
    for row in session.exec(waiting).all():
        _reassigned(session, row, contact_id)
        session.add(row)
        session.flush()


def _reassigned(session: Session, row: Membership, contact_id: str) -> Membership | None:
    """Return the row by which the person joins now; None if another one of theirs is further advanced."""
    if row.contact_id == contact_id:
        return row
    row.contact_id = contact_id
    existing = membership_of(session, row.number, contact_id)
    if existing is None:
        row.who = contact_id
        return row
    row.state = MemberState.EXPIRED
    session.add(row)
    return None if existing.state in (MemberState.ADDING, MemberState.INVITED, MemberState.JOINED) else existing
