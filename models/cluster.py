"""The processes that share a database, and which of them serves which account. Times are PostgreSQL's, Unix seconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel


class Member(SQLModel, table=True):
    """A running process. Another process deletes its row if it is silent for a lease. A restart creates a new row."""

    id: str = Field(primary_key=True)
    advertise: str  # where the others reach it
    capacity: int
    version: str
    draining: bool = False  # it takes no accounts, because it starts or is about to stop
    seen: float


class AccountLease(SQLModel, table=True):
    """Which process serves an account. The lease holds as long as the member's row exists; "" is the account of the
    jobs that run at one process."""

    account: str = Field(primary_key=True)
    member: str | None = Field(default=None, index=True)
    epoch: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))  # grows with every hand-over
    since: float = 0


class SharedVersion(SQLModel, table=True):
    """The version of shared data that every process caches."""

    kind: str = Field(primary_key=True)
    version: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
