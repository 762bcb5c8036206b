"""What is kept of the official channel. Times are Unix seconds."""

from __future__ import annotations

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel


class WecomAccountRow(SQLModel, table=True):
    """One customer service account: where reading goes on, and the token that processes share."""

    account: str = Field(primary_key=True)
    cursor: str = ""
    token: str = ""
    token_until: float = 0
    prefix: str = ""  # of the ids of its messages


class WecomCustomer(SQLModel, table=True):
    """What may be said to one customer: five messages within 48 hours of their last."""

    account: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    heard_at: float = 0
    sent: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))  # ids since then
    code: str = ""  # to welcome them with
    code_until: float = 0
    code_for: str = ""  # the message that took it
