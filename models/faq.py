"""What the FAQ keeps: menus that wait for a number, questions nobody had listed. Times are Unix seconds."""

from __future__ import annotations

from sqlalchemy import JSON
from sqlmodel import Field, SQLModel


class FaqMenu(SQLModel, table=True):
    """The questions a person was offered last, by their normalised wording."""

    account: str = Field(primary_key=True)
    conversation: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    questions: list[str] = Field(sa_type=JSON)
    asked_at: float
    expires_at: float


class FaqMiss(SQLModel, table=True):
    """How often something was asked on a day that the FAQ does not list."""

    account: str = Field(primary_key=True)
    day: str = Field(primary_key=True)  # YYYY-MM-DD in the config's time zone
    question: str = Field(primary_key=True)  # normalised
    count: int = 1
