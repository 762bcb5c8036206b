"""Tables of blocked words, timed messages and broadcasts. Times are Unix seconds."""

from __future__ import annotations

import time
from enum import StrEnum

from sqlalchemy import Column, false
from sqlmodel import Field, SQLModel

from models.row_id import WIDE


class BlockedWord(SQLModel, table=True):
    """A word that is blocked in one group, or (number = null) in all groups of the account."""

    id: int | None = Field(default=None, primary_key=True)
    account: str
    number: int | None = Field(default=None, foreign_key="qun.number", index=True)
    word: str
    by: str
    created_at: float = Field(default_factory=time.time)


class TimedMessage(SQLModel, table=True):
    """A text sent to a group on a schedule. `next_at` advances in the transaction that queues the message."""

    id: int | None = Field(default=None, primary_key=True)
    number: int = Field(foreign_key="qun.number", index=True)
    cron: str
    text: str
    by: str
    next_at: float = Field(index=True)
    created_at: float = Field(default_factory=time.time)


class BroadcastState(StrEnum):
    """States of a broadcast."""

    ASKED = "asked"  # waits for 确认 from its admin
    SENT = "sent"  # queued for every group
    CANCELLED = "cancelled"  # before it was confirmed
    WITHDRAWN = "withdrawn"  # after it was queued


class Broadcast(SQLModel, table=True):
    """A message to several groups, sent after an admin has confirmed it."""

    id: int | None = Field(default=None, primary_key=True)
    account: str
    by: str = Field(index=True)
    text: str
    state: str = BroadcastState.ASKED
    expires_at: float
    created_at: float = Field(default_factory=time.time)
    body: str | None = None  # the message as JSON, if requested by REST or the console
    run_at: float = Field(default=0, sa_column_kwargs={"server_default": "0"})  # when to send it; 0 = now
    idempotency_key: str | None = Field(default=None, unique=True, index=True)
    fingerprint: str = Field(default="", sa_column_kwargs={"server_default": ""})  # hash of the request
    reported: bool = Field(default=False, sa_column_kwargs={"server_default": false()})  # the admin knows the result


class BroadcastTarget(SQLModel, table=True):
    """One room or friend of a broadcast; the result is that of its message."""

    id: int | None = Field(default=None, primary_key=True)
    broadcast: int = Field(foreign_key="broadcast.id", index=True)
    account: str
    number: int  # of the group; 0 = a friend
    room_id: str  # the WeChat id of the room or of the friend
    message: int = Field(sa_column=Column(WIDE, nullable=False))  # OutboxItem.id
