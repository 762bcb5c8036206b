"""The accounts that this process serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlmodel import Session

GLOBAL: Final = ""  # the account value of jobs without an account, which run in a single process


class Ownership:
    """The accounts of a single process: all of them."""

    def holds(self, account: str) -> bool:
        """Whether this process executes work of the account."""
        return True

    def may_act(self) -> bool:
        """Whether calls to WeChat are allowed now."""
        return True

    def notify_holder(self, session: Session, account: str) -> None:
        """Notify the process that serves an account, if it is another one, that its jobs in the database have changed.

        The notification is part of the transaction.
        """


class LeasedAccounts(Ownership):
    """A member of a cluster: it serves the accounts it holds a lease on.

    `valid`: whether the leases still hold; `notify`: notifies the holder of an account, within a transaction, of new
    work.
    """

    def __init__(self, valid: Callable[[], bool], notify: Callable[[Session, str], None]) -> None:
        self._valid = valid
        self._notify = notify
        self._held: set[str] = set()

    def holds(self, account: str) -> bool:
        """Whether this process executes work of the account."""
        return account in self._held

    def may_act(self) -> bool:
        """Whether the leases still hold; a process that was frozen finds out here."""
        return self._valid()

    def notify_holder(self, session: Session, account: str) -> None:
        """Notify the process that serves the account, unless it is this one."""
        if account not in self._held:
            self._notify(session, account)

    def take(self, account: str) -> None:
        """Start to serve the account."""
        self._held.add(account)

    def drop(self, account: str) -> None:
        """Stop serving the account."""
        self._held.discard(account)
