"""After a time away WeChat has moved on: bring memberships and waiting people up to what it shows now."""

from __future__ import annotations

import logging

from sqlmodel import Session, select

from models.db import Store
from models.groups import Membership, MemberState, Qun, QunRoom, QunState
from services.accounts import Accounts
from services.arrivals import Arrivals
from services.groups import Groups
from services.membership import Memberships

log = logging.getLogger(__name__)


class Reconcile:
    """Compares the database with the directory of an account that was just read again."""

    def __init__(
        self, store: Store, accounts: Accounts, groups: Groups, arrivals: Arrivals, memberships: Memberships
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._arrivals = arrivals
        self._memberships = memberships

    async def account(self, account: str) -> None:
        """Catch up on one account: joins and leaves nobody told of, rooms lost, people who became friends."""
        for qun in self._groups:
            if qun.account == account and qun.state == QunState.ACTIVE:
                await self._store.write(lambda s, qun=qun: self._group(s, qun))  # type: ignore[misc]
        for contact_id in await self._store.read(lambda s: self._now_friends(s, account)):
            await self._memberships.became_friend(account, contact_id)

    def _group(self, session: Session, qun: Qun) -> None:
        for room in self._groups.rooms(qun):
            live = self._accounts.get(qun.account).directory.rooms.get(room.room_id or "")
            if live is None:
                log.warning("group %s: the assistant is no longer in room %s", qun.number, room.room_id)
                self._groups.lose_room(session, qun.account, room.room_id or "")
                continue
            there = live.member_ids - {self._accounts.get(qun.account).self_id}
            known = self._known(session, qun, room)
            for contact_id in sorted(there - known):
                self._arrivals.joined(session, qun, live.id, contact_id)
            for contact_id in sorted(known - there):
                self._arrivals.left(session, qun, contact_id)

    def _known(self, session: Session, qun: Qun, room: QunRoom) -> set[str]:
        rows = select(Membership.contact_id).where(
            Membership.number == qun.number, Membership.state == MemberState.JOINED, Membership.room_id == room.room_id
        )
        return {contact_id for contact_id in session.exec(rows).all() if contact_id}

    def _now_friends(self, session: Session, account: str) -> list[str]:
        waiting = select(Membership).where(
            Membership.account == account, Membership.state == MemberState.WAITING_FRIEND
        )
        directory = self._accounts.get(account).directory
        found = []
        for row in session.exec(waiting).all():
            friends = directory.find(row.contact_id or row.name, friends=True)
            if len(friends) == 1:
                found.append(friends[0].id)
        return found
