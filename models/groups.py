"""Groups (qun) and who is in them. Times are Unix seconds; people and rooms are kept by WeChat id."""

from __future__ import annotations

import time
from enum import StrEnum

from sqlalchemy import JSON, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

FIRST_NUMBER = 100001


class QunState(StrEnum):
    """Where a group stands."""

    MAKING = "making"  # asked for; WeChat has not shown it yet
    ACTIVE = "active"
    LOST = "lost"  # the assistant was removed from it
    CLOSED = "closed"  # ended by a business system: the assistant has left, its token and page are gone


class MemberState(StrEnum):
    """Where a person stands on the way into a group, or out of it."""

    REQUESTED = "requested"
    WAITING_FRIEND = "waiting_friend"
    ADDING = "adding"
    INVITED = "invited"
    JOINED = "joined"
    REFUSED = "refused"
    EXPIRED = "expired"
    LEFT = "left"
    REMOVED = "removed"


class MembershipReason(StrEnum):
    """What `Membership.error` says where it is not WeChat's own text."""

    OWNER_MUST_CONFIRM = "owner"
    WITHDRAWN = "taken back"
    GROUP_FULL = "GroupFull"
    BLACKLISTED = "MemberBlacklisted"


OPEN_STATES = (MemberState.REQUESTED, MemberState.WAITING_FRIEND, MemberState.ADDING, MemberState.INVITED)


class Qun(SQLModel, table=True):
    """One logical group, known by its caller's `code`; it may span several rooms of WeChat."""

    __table_args__ = (  # for lists, newest first
        Index("ix_qun_account_number", "account", "number"),
        Index("ix_qun_account_state_number", "account", "state", "number"),
        Index("ix_qun_state_number", "state", "number"),
    )

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    code: str = Field(unique=True)
    account: str = Field(index=True)
    owner: str = Field(index=True)  # as the caller named them
    owner_id: str = Field(index=True)
    companion_id: str
    topic: str
    token: str = Field(unique=True)
    token_expires_at: float | None = None
    public_id: str = Field(unique=True)  # what the landing page's address ends with
    welcome: str | None = None  # this group's own text; None = the config's
    announcement: str | None = None
    state: str = QunState.MAKING
    wants_report: bool = False  # the owner asked for a report every morning
    created_at: float = Field(default_factory=time.time)


class QunTag(SQLModel, table=True):
    """A label that business systems give to groups, to address them together."""

    number: int = Field(primary_key=True, foreign_key="qun.number", sa_column_kwargs={"autoincrement": False})
    tag: str = Field(primary_key=True, index=True)


class QunRoom(SQLModel, table=True):
    """A room of WeChat that belongs to a qun; the first, and the ones opened when it was full."""

    __table_args__ = (UniqueConstraint("number", "ordinal"), UniqueConstraint("account", "room_id"))

    id: int | None = Field(default=None, primary_key=True)
    number: int = Field(foreign_key="qun.number", index=True)
    ordinal: int = 1
    account: str
    room_id: str | None = None
    topic: str
    state: str = QunState.MAKING
    asked_at: float | None = None  # when WeChat was last asked to make it
    # ids of rooms that looked like this one before WeChat was asked: none of them is the one it made
    seen_before: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    created_at: float = Field(default_factory=time.time)


class Membership(SQLModel, table=True):
    """One person's way into (and out of) one qun."""

    __table_args__ = (
        UniqueConstraint("number", "who"),
        Index("ix_membership_number_state_id", "number", "state", "id"),  # for lists, newest first
    )

    id: int | None = Field(default=None, primary_key=True)
    number: int = Field(foreign_key="qun.number", index=True)
    who: str  # the WeChat id, or "name:…" while the person is not known yet
    account: str
    contact_id: str | None = Field(default=None, index=True)
    name: str
    room_id: str | None = None
    state: str = MemberState.REQUESTED
    source: str = "rest"  # rest | async (rest, not waited for) | request | message | event
    error: str = ""
    created_at: float = Field(default_factory=time.time)
    updated_at: float = Field(default_factory=time.time)
    expires_at: float | None = None


class MemberRecord(SQLModel, table=True):
    """How a person has behaved in a qun: warnings, and the blacklist."""

    number: int = Field(primary_key=True, foreign_key="qun.number", sa_column_kwargs={"autoincrement": False})
    contact_id: str = Field(primary_key=True)
    name: str = ""
    warnings: int = 0
    blacklisted: bool = False
    removal_told: bool = False  # the owner knows that the assistant could not remove them
    updated_at: float = Field(default_factory=time.time)


class DailyCount(SQLModel, table=True):
    """What happened in a qun on one day of the config's time zone (YYYY-MM-DD)."""

    number: int = Field(primary_key=True, foreign_key="qun.number", sa_column_kwargs={"autoincrement": False})
    day: str = Field(primary_key=True, index=True)
    joins: int = 0
    leaves: int = 0
    messages: int = 0


class TokenMiss(SQLModel, table=True):
    """A wrong join token somebody sent."""

    id: int | None = Field(default=None, primary_key=True)
    account: str
    contact_id: str = Field(index=True)
    at: float
