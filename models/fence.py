"""Rejects the writes of a process that is no longer a member, because others may serve its accounts."""

from __future__ import annotations

from typing import Final, Protocol

from sqlalchemy import Connection, text
from sqlmodel import Session

# FOR KEY SHARE, not FOR SHARE: a beat updates the row beside it, and only its deletion has to wait. As with a foreign
# key's check; https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS
ALIVE: Final = text("SELECT 1 FROM member WHERE id = :id FOR KEY SHARE")
IDLE_LIMIT: Final = 2000  # milliseconds that a transaction may be idle: a frozen process must not keep its locks


def session_name(member: str) -> str:
    """Return the application_name of a member's writing sessions, by which others can terminate them."""
    return f"wxbot-{member}"


class Fenced(Exception):
    """This process is no longer a member; nothing of the transaction was written."""


class TransactionGuard(Protocol):
    """Hooks of a group commit: before its writes and after each flush."""

    def begin(self, connection: Connection) -> None:
        """Check at the start of every writing transaction; raise Fenced."""

    def flushed(self, session: Session) -> None:
        """Handle the end of a flush, within the transaction."""


class MemberFence:
    """Checks that the member's row exists, and locks it until the transaction ends."""

    def __init__(self, member: str) -> None:
        self._member = member
        self.refused = 0  # transactions

    def begin(self, connection: Connection) -> None:
        """Raise Fenced if the row is gone."""
        if connection.execute(ALIVE, {"id": self._member}).first() is None:
            self.refused += 1
            raise Fenced(self._member)
