"""Tables of the official channel. Times are Unix seconds."""

from __future__ import annotations

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel


class WecomAccountRow(SQLModel, table=True):
    """A customer service account: its read cursor, and the access token shared by all processes."""

    account: str = Field(primary_key=True)
    cursor: str = ""
    token: str = ""
    token_until: float = 0
    prefix: str = ""  # prefix of its message ids


class WecomCustomer(SQLModel, table=True):
    """What may be sent to a customer: five messages within 48 hours after their last one."""

    account: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    heard_at: float = 0
    # ids of messages sent since then
    sent: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    code: str = ""  # the welcome code
    code_until: float = 0
    code_for: str = ""  # the message that used the code
