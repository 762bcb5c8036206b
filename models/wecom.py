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
    # ids of messages sent since then; those of messages sent before begin with ~
    sent: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    code: str = ""  # sends one message: a welcome, or the last one of a session
    code_until: float = 0
    code_for: str = ""  # the message that used the code


class WecomChat(SQLModel, table=True):
    """A 客户群 that people join by a QR code."""

    account: str = Field(primary_key=True)
    chat_id: str = Field(primary_key=True)
    state: str = ""  # state value of members who joined by the code
    config_id: str = ""  # of the join way; "" for a group that WeCom created behind one
    picture: bytes = b""


class WecomGroupTask(SQLModel, table=True):
    """A message to a 客户群, which a member of staff confirms."""

    account: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    msgid: str = ""  # "" until the platform has answered
    asked_at: float = 0
