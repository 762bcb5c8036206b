"""What people set by chat command: blocked words, timed messages, broadcasts. Times are Unix seconds."""

from __future__ import annotations

import time
from enum import StrEnum

from sqlmodel import Field, SQLModel


class BlockedWord(SQLModel, table=True):
    """A word that must not be said in a group, or (number = null) in any group of the account."""

    id: int | None = Field(default=None, primary_key=True)
    account: str
    number: int | None = Field(default=None, foreign_key="qun.number", index=True)
    word: str
    by: str
    created_at: float = Field(default_factory=time.time)


class TimedMessage(SQLModel, table=True):
    """A text said in a group again and again; `next_at` moves on in the transaction that promises the message."""

    id: int | None = Field(default=None, primary_key=True)
    number: int = Field(foreign_key="qun.number", index=True)
    cron: str
    text: str
    by: str
    next_at: float = Field(index=True)
    created_at: float = Field(default_factory=time.time)


class BroadcastState(StrEnum):
    """Where a broadcast stands."""

    ASKED = "asked"  # waits for its admin's 确认
    SENT = "sent"  # promised to every group
    CANCELLED = "cancelled"


class Broadcast(SQLModel, table=True):
    """A text that an admin wants said in every group, once they confirm it."""

    id: int | None = Field(default=None, primary_key=True)
    account: str
    by: str = Field(index=True)
    text: str
    state: str = BroadcastState.ASKED
    expires_at: float
    created_at: float = Field(default_factory=time.time)
    body: str | None = None  # the message as JSON, where it was asked for by REST or in the console
    run_at: float = Field(default=0, sa_column_kwargs={"server_default": "0"})  # when it is to be sent; 0 = at once
    idempotency_key: str | None = Field(default=None, unique=True, index=True)
    fingerprint: str = Field(default="", sa_column_kwargs={"server_default": ""})  # of the request


class BroadcastTarget(SQLModel, table=True):
    """One room or friend that a broadcast was promised to; its message says what came of it."""

    id: int | None = Field(default=None, primary_key=True)
    broadcast: int = Field(foreign_key="broadcast.id", index=True)
    account: str
    number: int  # of the group; 0 = a friend
    room_id: str  # or the friend's WeChat id
    message: int  # OutboxItem.id
