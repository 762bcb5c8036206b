"""Tables of everything that must survive kill -9: inbox, outbox, audit log. Times are Unix seconds."""

from __future__ import annotations

import time
from enum import StrEnum

from sqlalchemy import JSON, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from models.row_id import row_id


class EventState(StrEnum):
    """States of an inbox event."""

    NEW = "new"
    DONE = "done"
    FAILED = "failed"
    PARKED = "parked"  # the process died twice while handling it


class WorkState(StrEnum):
    """States of an outbox item."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"  # interrupted by a crash, and not repeated by its policy
    CANCELLED = "cancelled"  # before it was attempted


class Priority(StrEnum):
    """Order within a queue. It also decides what happens to an item interrupted by a crash.

    Replies and notices are sent again, broadcasts are not.
    """

    REPLY = "a-reply"
    NOTICE = "b-notice"
    BROADCAST = "c-broadcast"


class InboxEvent(SQLModel, table=True):
    """An event received from WeChat, stored before it is handled."""

    __table_args__ = (
        UniqueConstraint("account", "event_id"),
        Index("ix_inbox_open", "account", sqlite_where=text("state = 'new'"), postgresql_where=text("state = 'new'")),
        Index(
            "ix_inbox_parked", "state", sqlite_where=text("state = 'parked'"), postgresql_where=text("state = 'parked'")
        ),
    )

    id: int | None = row_id()
    account: str
    event_id: str
    kind: str
    data: str  # the gateway's payload as JSON
    body: str | None = None  # the resolved event as JSON, once its payload was read
    state: str = EventState.NEW
    handler: str = ""
    tries: int = 0  # attempts after a restart
    received_at: float = Field(default_factory=time.time, index=True)


IS_WEBHOOK = text("queue like 'hook:%'")  # PostgreSQL and SQLite use the partial index only for this exact condition


class OutboxItem(SQLModel, table=True):
    """A queued job: a message on an account's queue, a webhook on its receiver's queue."""

    __table_args__ = (
        Index(
            "ix_outbox_open",
            "account",
            sqlite_where=text("state in ('queued', 'sending')"),
            postgresql_where=text("state in ('queued', 'sending')"),
        ),
        Index("ix_outbox_webhooks", "state", "id", sqlite_where=IS_WEBHOOK, postgresql_where=IS_WEBHOOK),
    )

    id: int | None = row_id()
    queue: str = Field(index=True)  # "wx:ACCOUNT", "hook:NAME", "make:ACCOUNT"
    account: str = Field(
        default="", sa_column_kwargs={"server_default": ""}
    )  # the account whose holder runs it; "" = none
    key: str  # within a queue, one key's items go in order
    priority: str = Priority.REPLY
    body: str  # JSON
    state: str = WorkState.QUEUED
    attempts: int = 0
    error: str = ""
    result: str = ""  # WeChat's message id
    idempotency_key: str | None = Field(default=None, unique=True)
    fingerprint: str = ""  # hash of the request that came with the idempotency key
    run_at: float = 0
    created_at: float = Field(default_factory=time.time)
    done_at: float | None = Field(default=None, index=True)


class Outcome(StrEnum):
    """Outcomes of an action in WeChat."""

    TRIED = "tried"  # begun; its end is not known
    DONE = "done"
    INVITED = "invited"
    UNCONFIRMED = "unconfirmed"  # WeChat accepted the change but does not show it
    FAILED = "failed"
    UNKNOWN = "unknown"


class Action(SQLModel, table=True):
    """An entry of the audit log: who asked, what was done in WeChat, and what was observed afterwards.

    The rows also count towards the rate limits: an action counts from the moment it is attempted.
    """

    __table_args__ = (
        Index("ix_action_pace", "account", "kind", "at"),
        Index("ix_action_kind_id", "kind", "id"),  # these two are for lists, newest first
        Index("ix_action_who_id", "who", "id"),
    )

    id: int | None = row_id()
    at: float = Field(default_factory=time.time, index=True)
    account: str
    kind: str  # group | add | accept | remove | topic | announce | warn | blacklist | …
    who: str  # rest:ADDRESS | rest:NAME of the key | person:WXID | job:NAME | guard
    target: str = ""
    detail: dict[str, str] = Field(default_factory=dict, sa_type=JSON)
    outcome: str = Outcome.TRIED
    seen: str = ""


class Setting(SQLModel, table=True):
    """A persistent value: bound admins, end of a back-off, last runs of jobs, last reports."""

    key: str = Field(primary_key=True)
    value: str


class DirectoryRow(SQLModel, table=True):
    """The last known contacts and rooms of an account, from which its directory starts."""

    account: str = Field(primary_key=True)
    data: bytes  # zlib of the JSON of wechat.directory.Directory.snapshot
    saved_at: float
