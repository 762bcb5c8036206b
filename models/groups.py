"""Tables of groups (qun) and their members. Times are Unix seconds; people and rooms are identified by WeChat id."""

from __future__ import annotations

import time
from enum import StrEnum

from sqlalchemy import JSON, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

FIRST_NUMBER = 100001


class QunState(StrEnum):
    """States of a group."""

    MAKING = "making"  # requested, but not yet seen in WeChat
    ACTIVE = "active"
    LOST = "lost"  # the assistant was removed from it
    CLOSED = "closed"  # closed by a business system: the assistant has left, token and page are removed


class MemberState(StrEnum):
    """States of a membership."""

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
    """Values of `Membership.error` that are not WeChat's own text."""

    OWNER_MUST_CONFIRM = "owner"
    WITHDRAWN = "taken back"
    GROUP_FULL = "GroupFull"
    BLACKLISTED = "MemberBlacklisted"


OPEN_STATES = (MemberState.REQUESTED, MemberState.WAITING_FRIEND, MemberState.ADDING, MemberState.INVITED)


class Qun(SQLModel, table=True):
    """A group as its callers see it, identified by `code`. It may span several WeChat rooms."""

    __table_args__ = (  # for lists, newest first
        Index("ix_qun_account_number", "account", "number"),
        Index("ix_qun_account_state_number", "account", "state", "number"),
        Index("ix_qun_state_number", "state", "number"),
    )

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    code: str = Field(unique=True)
    account: str = Field(index=True)
    owner: str = Field(index=True)  # as given by the caller
    owner_id: str = Field(index=True)
    companion_id: str
    topic: str
    token: str = Field(unique=True)
    token_expires_at: float | None = None
    public_id: str = Field(unique=True)  # last part of the landing page's address
    welcome: str | None = None  # the group's own text; None = the one of the config
    announcement: str | None = None
    state: str = QunState.MAKING
    wants_report: bool = False  # the owner subscribed to the daily report
    created_at: float = Field(default_factory=time.time)


class QunTag(SQLModel, table=True):
    """A tag by which business systems address several groups."""

    number: int = Field(primary_key=True, foreign_key="qun.number", sa_column_kwargs={"autoincrement": False})
    tag: str = Field(primary_key=True, index=True)


class QunRoom(SQLModel, table=True):
    """A WeChat room of a qun: the first one, or one opened when it was full."""

    __table_args__ = (UniqueConstraint("number", "ordinal"), UniqueConstraint("account", "room_id"))

    id: int | None = Field(default=None, primary_key=True)
    number: int = Field(foreign_key="qun.number", index=True)
    ordinal: int = 1
    account: str
    room_id: str | None = None
    topic: str
    state: str = QunState.MAKING
    asked_at: float | None = None  # when the last create call was made
    # ids of rooms that already looked like this one before the create call, so none of them is its result
    seen_before: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    created_at: float = Field(default_factory=time.time)


class ProposalState(StrEnum):
    """States of a proposed room."""

    WAITING = "waiting"  # for an admin
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class RoomProposal(SQLModel, table=True):
    """A WeChat room that seems to be a group's room under a new id."""

    __table_args__ = (UniqueConstraint("account", "room_id"),)

    id: int | None = Field(default=None, primary_key=True)
    account: str
    room: int = Field(foreign_key="qunroom.id")  # the room that is missing in WeChat
    room_id: str  # the WeChat id of the proposed one
    owner_id: str  # the WeChat id of the group's owner in it
    state: str = ProposalState.WAITING
    created_at: float = Field(default_factory=time.time)


class MembershipSource(StrEnum):
    """Where a request to join, or the knowledge of a join, came from."""

    REST = "rest"
    ASYNC = "async"  # REST; the caller does not wait for the result
    REQUEST = "request"  # a friend request with a join token
    MESSAGE = "message"  # a join token sent by the person
    FRIEND = "friend"  # a REST request that continued when the person became a friend
    EVENT = "event"  # WeChat reported the join


class Membership(SQLModel, table=True):
    """One person's membership of one qun, from the request to the end."""

    __table_args__ = (
        UniqueConstraint("number", "who"),
        Index("ix_membership_number_state_id", "number", "state", "id"),  # for lists, newest first
    )

    id: int | None = Field(default=None, primary_key=True)
    number: int = Field(foreign_key="qun.number", index=True)
    who: str  # the WeChat id, or "name:…" while it is not known
    account: str
    contact_id: str | None = Field(default=None, index=True)
    name: str
    room_id: str | None = None
    state: str = MemberState.REQUESTED
    source: str = MembershipSource.REST
    error: str = ""
    created_at: float = Field(default_factory=time.time)
    updated_at: float = Field(default_factory=time.time)
    expires_at: float | None = None


class MemberRecord(SQLModel, table=True):
    """A person's record in a qun: warnings and blacklist."""

    number: int = Field(primary_key=True, foreign_key="qun.number", sa_column_kwargs={"autoincrement": False})
    contact_id: str = Field(primary_key=True)
    name: str = ""
    warnings: int = 0
    blacklisted: bool = False
    removal_told: bool = False  # the owner was notified that the assistant could not remove them
    updated_at: float = Field(default_factory=time.time)


class DailyCount(SQLModel, table=True):
    """Numbers of a qun for one day (YYYY-MM-DD in the configured time zone)."""

    number: int = Field(primary_key=True, foreign_key="qun.number", sa_column_kwargs={"autoincrement": False})
    day: str = Field(primary_key=True, index=True)
    joins: int = 0
    leaves: int = 0
    messages: int = 0


class TokenMiss(SQLModel, table=True):
    """A wrong join token sent by someone."""

    id: int | None = Field(default=None, primary_key=True)
    account: str
    contact_id: str = Field(index=True)
    at: float
