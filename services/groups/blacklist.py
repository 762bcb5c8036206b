"""The blacklist of groups, cached in memory because every join request checks it."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session, col, select

from errors import MemberBlacklisted
from models.db import Store, after_commit
from models.groups import MemberRecord, Qun


class Blacklist:
    """Blacklisted people by group number and WeChat id."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._people: set[tuple[int, str]] = set()

    async def load(self, accounts: Collection[str] | None = None) -> None:
        """Load the blacklist of some accounts, or the whole blacklist."""
        query = select(MemberRecord.number, MemberRecord.contact_id).where(col(MemberRecord.blacklisted).is_(True))
        if accounts is not None:
            numbers = select(Qun.number).where(col(Qun.account).in_(accounts))
            query = query.where(col(MemberRecord.number).in_(numbers))
        self._people |= {(number, person) for number, person in await self._store.read(lambda s: s.exec(query).all())}

    def drop(self, numbers: Collection[int]) -> None:
        """Forget the blacklists of these groups."""
        removed = set(numbers)
        self._people = {(number, person) for number, person in self._people if number not in removed}

    def holds(self, number: int, contact_id: str) -> bool:
        """Whether the person is blacklisted in the group."""
        return (number, contact_id) in self._people

    def raise_if_listed(self, qun: Qun, contact_id: str) -> None:
        """Raise MemberBlacklisted for a blacklisted person."""
        if self.holds(qun.number, contact_id):
            raise MemberBlacklisted(contact_id)

    def update_after_commit(self, session: Session, number: int, contact_id: str, *, is_listed: bool) -> None:
        """Update the cache after the transaction's commit."""
        change = self._people.add if is_listed else self._people.discard
        after_commit(session, lambda: change((number, contact_id)))
