"""Which accounts this process serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlmodel import Session

GLOBAL: Final = ""  # the account of what belongs to no account: jobs that run at one process


class Ownership:
    """A process without others: it serves every account."""

    def holds(self, account: str) -> bool:
        """Whether work of the account is taken up here."""
        return True

    def may_act(self) -> bool:
        """Whether anything may be done in WeChat at this moment."""
        return True

    def promised(self, session: Session, account: str) -> None:
        """Work of an account that is not held here is promised in this transaction: its holder is to hear of it."""


class LeasedAccounts(Ownership):
    """One process of several: it serves the accounts that it has a lease on. `valid`: whether leases still hold;
    `tell`: tells the holder of an account, within a transaction, that there is work for it."""

    def __init__(self, valid: Callable[[], bool], tell: Callable[[Session, str], None]) -> None:
        self._valid = valid
        self._tell = tell
        self._held: set[str] = set()

    def holds(self, account: str) -> bool:
        """Whether work of the account is taken up here."""
        return account in self._held

    def may_act(self) -> bool:
        """Whether the leases hold at this moment; a process that was frozen finds out here."""
        return self._valid()

    def promised(self, session: Session, account: str) -> None:
        """Tell the account's holder."""
        self._tell(session, account)

    def take(self, account: str) -> None:
        """Serve the account from now on."""
        self._held.add(account)

    def drop(self, account: str) -> None:
        """Serve it no longer."""
        self._held.discard(account)
