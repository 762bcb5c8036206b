"""Rejects the writes of a process that is no longer a member of the cluster, or no longer holds an account."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol

from sqlalchemy import Connection, text
from sqlmodel import Session

# FOR KEY SHARE, not FOR SHARE: a renewal updates the row beside it, and only its deletion has to wait. As with a
# foreign key's check; https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS
# The limit is for this transaction only: a frozen process must not keep its locks, but a slow read holds none.
_BEGIN: Final = text(
    "SELECT set_config('idle_in_transaction_session_timeout', :limit, true) FROM member WHERE id = :id FOR KEY SHARE"
)
# FOR SHARE: an account is released after the commits that are about it. txid_current: see models.group_commit.
_END: Final = text(
    "WITH held AS (SELECT account FROM accountlease WHERE member = :id AND account = ANY(CAST(:accounts AS varchar[])) "
    "ORDER BY account FOR SHARE) SELECT txid_current(), (SELECT count(*) FROM held)"
)
IDLE_LIMIT: Final = "2s"  # maximum idle time of a transaction
_ACCOUNTS: Final = "accounts"  # key of Session.info


def session_name(member: str) -> str:
    """Return the application_name of a member's writing sessions, by which others can terminate them."""
    return f"wxbot-{member}"


def belongs_to(session: Session, account: str) -> None:
    """Require that this process still holds the account when the transaction is committed."""
    session.info.setdefault(_ACCOUNTS, set()).add(account)


def accounts_of(session: Session) -> Collection[str]:
    """Return the accounts that were named by `belongs_to`."""
    accounts: Collection[str] = session.info.get(_ACCOUNTS, ())
    return accounts


class WriteRefused(Exception):
    """This process may not write this any more; nothing of the transaction was written."""


class Fenced(WriteRefused):
    """This process is no longer a member."""


class AccountLost(WriteRefused):
    """An account is no longer held by this process."""


class TransactionGuard(Protocol):
    """Hooks of a group commit."""

    def begin(self, connection: Connection) -> None:
        """Check at the start of every writing transaction; raise Fenced."""

    def flushed(self, session: Session) -> None:
        """Handle the end of a flush, within the transaction."""

    def end(self, connection: Connection, accounts: Collection[str]) -> int:
        """Check before the commit that these accounts are held, and return the transaction's id; raise AccountLost."""


class MemberFence:
    """Checks that the member's row exists, and locks it until the transaction ends."""

    def __init__(self, member: str) -> None:
        self._member = member
        self.refused = 0  # transactions

    def begin(self, connection: Connection) -> None:
        """Raise Fenced if the row is gone."""
        if connection.execute(_BEGIN, {"id": self._member, "limit": IDLE_LIMIT}).first() is None:
            self.refused += 1
            raise Fenced(self._member)

    def end(self, connection: Connection, accounts: Collection[str]) -> int:
        """Raise AccountLost unless this member holds all the accounts."""
        number, held_count = connection.execute(_END, {"id": self._member, "accounts": list(accounts)}).one()
        if held_count < len(accounts):
            self.refused += 1
            raise AccountLost(self._member)
        return int(number)
