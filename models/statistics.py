"""What the console's charts are drawn from: one row per day, so that no chart counts events. Days are YYYY-MM-DD."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class DayTotal(SQLModel, table=True):
    """What happened on one day of the config's time zone, over all groups and tickets."""

    day: str = Field(primary_key=True)
    messages: int = 0  # said in groups
    joins: int = 0
    leaves: int = 0
    sent: int = 0  # messages sent by all accounts
    tickets: int = 0  # opened on this day
    answered: int = 0  # of these
    first_answer: float | None = None  # their median wait in seconds
    marks: int = 0  # how many of them have one
    mark_sum: int = 0


class PacePeak(SQLModel, table=True):
    """The largest part of its pace that an account used on one day: 1 = nothing more was allowed for a while."""

    day: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)  # message | group | add
    ratio: float
