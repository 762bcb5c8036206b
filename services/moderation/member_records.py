"""A person's warnings in a group, and whether they are blacklisted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlmodel import Session, col, select

from models.db import Store
from models.groups import MemberRecord, Qun
from services.clock import Clock
from services.groups.blacklist import Blacklist


class MemberRecords:
    """Reads and writes the records, and updates the cached blacklist."""

    def __init__(self, store: Store, blacklist: Blacklist, clock: Clock) -> None:
        self._store = store
        self._blacklist = blacklist
        self._clock = clock

    async def write(self, change: Callable[[Session], None]) -> None:
        """Run a change of records and its consequences in one transaction."""
        await self._store.write(change)

    def is_blacklisted(self, qun: Qun, contact_id: str) -> bool:
        """Whether the person is blacklisted in the group."""
        return self._blacklist.holds(qun.number, contact_id)

    async def blacklisted(self, qun: Qun) -> list[MemberRecord]:
        """Return the group's blacklist."""
        query = select(MemberRecord).where(MemberRecord.number == qun.number, col(MemberRecord.blacklisted).is_(True))
        return list(await self._store.read(lambda s: s.exec(query).all()))

    def of(self, session: Session, qun: Qun, contact_id: str) -> MemberRecord | None:
        """Return the record of a person in a group."""
        return session.get(MemberRecord, (qun.number, contact_id))

    def change(self, session: Session, qun: Qun, contact_id: str, name: str, **change: Any) -> int:
        """Change a person's record; `warnings` are added to those they have. Returns their warnings."""
        if "blacklisted" in change:
            self._blacklist.update_after_commit(session, qun.number, contact_id, is_listed=change["blacklisted"])
        now = self._clock()
        first = {"warnings": 0, "blacklisted": False, "removal_told": False, **change}
        after: dict[str, Any] = {**change, "updated_at": now}
        if "warnings" in change:
            after["warnings"] = col(MemberRecord.warnings) + change["warnings"]
        if change.get("blacklisted") is False:
            after |= {"warnings": 0, "removal_told": False}
        if name:
            after["name"] = name
        row = {"number": qun.number, "contact_id": contact_id, "name": name, "updated_at": now, **first}
        insert = self._store.insert(MemberRecord).values(row)
        insert = insert.on_conflict_do_update(index_elements=["number", "contact_id"], set_=after)
        return int(session.connection().execute(insert.returning(col(MemberRecord.warnings))).scalar_one())


def warnings_in(session: Session, number: int, contact_ids: Sequence[str]) -> dict[str, int]:
    """Return the number of warnings of each of these people in a group; people without any are left out."""
    query = select(MemberRecord).where(MemberRecord.number == number, col(MemberRecord.contact_id).in_(contact_ids))
    return {row.contact_id: row.warnings for row in session.exec(query).all() if row.warnings}
