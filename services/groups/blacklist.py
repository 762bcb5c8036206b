"""Who may not come into which group: kept in the database, asked in memory, since every request to join asks."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session, col, select

from models.db import Store, after_commit
from models.groups import MemberRecord, Qun


class Blacklist:
    """The blacklisted people of all groups, by number and WeChat id."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._people: set[tuple[int, str]] = set()

    async def load(self, account: str | None = None) -> None:
        """Read that of one account, or all of it, into memory."""
        wanted = select(MemberRecord.number, MemberRecord.contact_id).where(col(MemberRecord.blacklisted).is_(True))
        if account is not None:
            wanted = wanted.where(col(MemberRecord.number).in_(select(Qun.number).where(Qun.account == account)))
        self._people |= {(number, who) for number, who in await self._store.read(lambda s: s.exec(wanted).all())}

    def drop(self, numbers: Collection[int]) -> None:
        """Forget that of these groups."""
        gone = set(numbers)
        self._people = {(number, who) for number, who in self._people if number not in gone}

    def holds(self, number: int, contact_id: str) -> bool:
        """Whether the person may not come into the group."""
        return (number, contact_id) in self._people

    def follow(self, session: Session, number: int, contact_id: str, *, on: bool) -> None:
        """Have memory follow what a transaction writes into a person's standing."""
        change = self._people.add if on else self._people.discard
        after_commit(session, lambda: change((number, contact_id)))
