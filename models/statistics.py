"""Daily numbers for the console's charts, so that no chart has to count events. Days are YYYY-MM-DD."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class DayTotal(SQLModel, table=True):
    """The totals of one day in the configured time zone, over all groups and tickets."""

    day: str = Field(primary_key=True)
    messages: int = 0  # messages in groups
    joins: int = 0
    leaves: int = 0
    sent: int = 0  # messages sent by all accounts
    tickets: int = 0  # opened on this day
    answered: int = 0  # of these
    first_answer: float | None = None  # their median wait in seconds
    marks: int = 0  # how many of them have one
    mark_sum: int = 0


class PacePeak(SQLModel, table=True):
    """The maximum use of an account's rate limits on one day; at 1, actions had to wait."""

    day: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)  # message | group | add
    ratio: float
