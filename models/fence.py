"""Refuses the writes of a process that is no longer a member: its accounts may be served by others by now."""

from __future__ import annotations

from typing import Final, Protocol

from sqlalchemy import Connection, text
from sqlmodel import Session

# FOR KEY SHARE, not FOR SHARE: a beat updates the row beside it, and only its deletion has to wait. As with a foreign
# key's check; https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS
ALIVE: Final = text("SELECT 1 FROM member WHERE id = :id FOR KEY SHARE")
IDLE_LIMIT: Final = 2000  # milliseconds that a transaction may be idle: a frozen process must not keep its locks


def session_name(member: str) -> str:
    """What a member's sessions that write are called in pg_stat_activity, so that others can end them."""
    return f"wxbot-{member}"


class Fenced(Exception):
    """This process is not a member any more; nothing of the transaction was written."""


class TransactionGuard(Protocol):
    """What a group commit asks before its writes, and tells after each flush."""

    def begin(self, connection: Connection) -> None:
        """Called first in every transaction that writes; Fenced."""

    def flushed(self, session: Session) -> None:
        """Called within the transaction after the session has written its objects."""


class MemberFence:
    """Checks that the member's row is there and keeps it there until the transaction ends."""

    def __init__(self, member: str) -> None:
        self._member = member
        self.refused = 0  # transactions

    def begin(self, connection: Connection) -> None:
        """Fenced when the row is gone."""
        if connection.execute(ALIVE, {"id": self._member}).first() is None:
            self.refused += 1
            raise Fenced(self._member)
