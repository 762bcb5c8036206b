"""Tickets: customers who asked for a person. Times are Unix seconds."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel


class TicketState(StrEnum):
    """Where a ticket stands."""

    WAITING = "waiting"  # the staff has not been told: outside the hours, or no staff room
    OPEN = "open"
    CLOSED = "closed"


_UNFINISHED = text("state != 'closed'")


class Ticket(SQLModel, table=True):
    """One customer's hand-over to the staff; `id` is the number people see."""

    __table_args__ = (
        Index(
            "ix_ticket_unfinished",
            "account",
            "contact_id",
            unique=True,
            sqlite_where=_UNFINISHED,
            postgresql_where=_UNFINISHED,
        ),
        Index("ix_ticket_state_id", "state", "id"),  # these three: for lists, newest first
        Index("ix_ticket_account_id", "account", "id"),
        Index("ix_ticket_account_state_id", "account", "state", "id"),
        Index("ix_ticket_opened", "opened_at", "answered_at", "mark"),  # all that the charts ask for
        {"sqlite_autoincrement": True},  # a number is never given twice
    )

    id: int | None = Field(default=None, primary_key=True)
    account: str
    contact_id: str = Field(index=True)
    name: str = ""
    state: str
    room_id: str = ""  # the staff room it was announced in
    staff_id: str = ""  # who has it
    staff_name: str = ""
    told: int = 0  # Said.id up to which the staff has seen the conversation
    called_by: str = ""  # the staff member who named it last, whose next picture goes there
    called_at: float = 0
    opened_at: float
    last_at: float  # when either side last spoke
    announced_at: float = 0  # when the staff was first shown it
    answered_at: float | None = None  # when somebody of the staff first answered
    reminders: int = 0  # how often staff and admins were reminded of it
    reminded_at: float = 0
    quiet_seconds: float = 0  # silence so far, of the time in which both sides could speak
    refusals: int = 0  # how often the staff room did not take it
    not_before: float = 0  # it is not shown to the staff again before this
    closed_at: float | None = Field(default=None, index=True)
    closed_by: str = ""  # a WeChat id, or "idle"
    mark: int | None = None  # 1–5, by the customer


class CannedReply(SQLModel, table=True):
    """An answer that the staff use often, under a short name."""

    name: str = Field(primary_key=True)
    text: str
    by: str
    updated_at: float
