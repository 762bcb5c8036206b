"""Table of support tickets. Times are Unix seconds."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Column, Index, text
from sqlmodel import Field, SQLModel

from models.row_id import WIDE


class TicketState(StrEnum):
    """States of a ticket."""

    WAITING = "waiting"  # not announced to staff: outside the hours, or no staff room
    OPEN = "open"
    CLOSED = "closed"


_UNFINISHED = text("state != 'closed'")


class Ticket(SQLModel, table=True):
    """A customer's request for a person. `id` is the number that people see."""

    __table_args__ = (
        Index(
            "ix_ticket_unfinished",
            "account",
            "contact_id",
            unique=True,
            sqlite_where=_UNFINISHED,
            postgresql_where=_UNFINISHED,
        ),
        Index("ix_ticket_state_id", "state", "id"),  # these three are for lists, newest first
        Index("ix_ticket_account_id", "account", "id"),
        Index("ix_ticket_account_state_id", "account", "state", "id"),
        Index("ix_ticket_opened", "opened_at", "answered_at", "mark"),  # covers the queries of the charts
        {"sqlite_autoincrement": True},  # a number is never given twice
    )

    id: int | None = Field(default=None, primary_key=True)
    account: str
    contact_id: str = Field(index=True)
    name: str = ""
    state: str
    room_id: str = ""  # the staff room it was announced in
    staff_id: str = ""  # the assignee
    staff_name: str = ""
    # StoredMessage.id up to which staff have seen the conversation
    told: int = Field(default=0, sa_column=Column(WIDE, nullable=False))
    called_by: str = ""  # the staff member who last addressed the ticket; their next picture goes to it
    called_at: float = 0
    opened_at: float
    last_at: float  # time of the last message of either side
    announced_at: float = 0  # when it was first announced to staff
    answered_at: float | None = None  # when a staff member first answered
    reminders: int = 0  # number of reminders to staff and admins
    reminded_at: float = 0
    quiet_seconds: float = 0  # accumulated silence while both sides could speak
    refusals: int = 0  # number of times the staff room rejected it
    not_before: float = 0  # not announced again before this time
    closed_at: float | None = Field(default=None, index=True)
    closed_by: str = ""  # a WeChat id, or "idle"
    mark: int | None = None  # 1–5, by the customer


class CannedReply(SQLModel, table=True):
    """A prepared reply of the staff, with a short name."""

    name: str = Field(primary_key=True)
    text: str
    by: str
    updated_at: float
