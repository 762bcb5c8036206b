"""Pages of groups and members, newest first. Each page is one indexed query."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_
from sqlmodel import Session, col, select

from models.groups import Membership, MemberState, Qun, QunState, QunTag
from services.paging import Page, PageRequest, page_of


@dataclass(frozen=True, slots=True)
class QunFilter:
    """Filter of groups; empty fields match all.

    `owner`: as given at creation, or the WeChat id. `q`: part of the topic or code.
    """

    account: str = ""
    state: QunState | None = None
    owner: str = ""
    tag: str = ""
    q: str = ""


def list_quns(session: Session, criteria: QunFilter, page: PageRequest) -> Page[Qun]:
    """Return a page of matching groups."""
    query = select(Qun)
    if criteria.account:
        query = query.where(Qun.account == criteria.account)
    if criteria.state is not None:
        query = query.where(Qun.state == criteria.state)
    if criteria.owner:
        query = query.where(or_(col(Qun.owner) == criteria.owner, col(Qun.owner_id) == criteria.owner))
    if criteria.tag:
        query = query.join(QunTag, col(QunTag.number) == col(Qun.number)).where(QunTag.tag == criteria.tag)
    if criteria.q:
        query = query.where(
            or_(
                col(Qun.topic).contains(criteria.q, autoescape=True),
                col(Qun.code).contains(criteria.q, autoescape=True),
            )
        )
    if page.before is not None:
        query = query.where(col(Qun.number) < page.bound)
    rows = session.exec(query.order_by(col(Qun.number).desc()).limit(page.limit + 1)).all()
    return page_of(rows, page, lambda qun: qun.number)


def list_members(session: Session, number: int, state: MemberState, page: PageRequest) -> Page[Membership]:
    """Return a page of a group's memberships in a state."""
    query = select(Membership).where(Membership.number == number, Membership.state == state)
    if page.before is not None:
        query = query.where(col(Membership.id) < page.bound)
    rows = session.exec(query.order_by(col(Membership.id).desc()).limit(page.limit + 1)).all()
    return page_of(rows, page, lambda row: row.id)
