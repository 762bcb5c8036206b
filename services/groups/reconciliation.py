"""What WeChat shows now against what the database says: joins and leaves nobody told of, rooms lost and found again."""

from __future__ import annotations

import logging
from typing import Final

from sqlmodel import Session, select

from errors import WeChatError, WeChatOffline, WeChatRefused
from models.db import Store
from models.groups import Membership, MemberState, Qun, QunState
from services.accounts.registry import Accounts
from services.groups.groups import Groups
from services.groups.membership_recorder import MembershipRecorder
from wechat.events import Room

log = logging.getLogger(__name__)
MAX_READ: Final = 100  # strangers whose names are read at once


class Reconciler:
    """Compares the database with what an account was just told or has just read."""

    def __init__(self, store: Store, accounts: Accounts, groups: Groups, recorder: MembershipRecorder) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._recorder = recorder

    async def account(self, account: str) -> list[str]:
        """Catch up on the rooms of one account that was read again; returns who became a friend and waits for that."""
        directory = self._accounts.get(account).directory
        known = directory.rooms
        for qun in self._groups:
            for room in self._groups.all_rooms(qun):
                if qun.account != account or not room.room_id or room.state in (QunState.MAKING, QunState.CLOSED):
                    continue
                if room.room_id in known:
                    if directory.was_read(room.room_id):  # else it may be older than the database
                        await self._compare(qun, known[room.room_id])
                elif room.state == QunState.ACTIVE:
                    await self.try_room(account, room.room_id)
        return await self._store.read(lambda s: self._now_friends(s, account))

    async def room(self, account: str, room_id: str) -> Room | None:
        """Read one room now and make its memberships true; None when the assistant is not in it any more.

        Raises WeChatError when it cannot be read for another reason.
        """
        qun = self._groups.by_room(account, room_id)
        wechat = self._accounts.get(account)
        if qun is None or not wechat.self_id:
            return None
        try:
            room = await wechat.room(room_id, fresh=True)
        except WeChatRefused:  # gateways refuse to tell of a room the account is not in
            if await wechat.is_in_room(room_id):
                raise
            room = None
        live = wechat.directory.rooms.get(room_id)  # it keeps who is missing on one reading only
        if room is None or live is None or wechat.self_id not in live.member_ids:
            log.warning("group %s: the assistant is no longer in room %s", qun.number, room_id)
            await self._store.write(lambda s: self._groups.lose_room(s, account, room_id))
            return None
        await self._compare(qun, room)
        return room

    async def try_room(self, account: str, room_id: str) -> None:
        """As `room`; what cannot be read waits for the drift check."""
        try:
            await self.room(account, room_id)
        except WeChatOffline:
            log.debug("room %s waits for the next sync", room_id)
        except WeChatError as error:
            log.warning("room %s could not be read: %s", room_id, error)

    async def _compare(self, qun: Qun, room: Room) -> None:
        known = await self._store.read(lambda s: self._known(s, qun, room.id))
        self._accounts.get(qun.account).directory.expect(room.id, known)
        await self._learn_names(qun, room)
        await self._store.write(lambda s: self._true_up(s, qun, room.id))

    async def _learn_names(self, qun: Qun, room: Room) -> None:
        """Read who is new and not known yet, so that the welcome can name them."""
        wechat = self._accounts.get(qun.account)
        strangers = room.member_ids - wechat.directory.contacts.keys()
        if not strangers:
            return
        known = await self._store.read(lambda s: self._known(s, qun, room.id))
        for contact_id in sorted(strangers - known)[:MAX_READ]:
            try:
                await wechat.contact(contact_id)
            except WeChatError as error:
                log.info("a member of room %s could not be read: %s", room.id, error)

    def _true_up(self, session: Session, qun: Qun, room_id: str) -> None:
        wechat = self._accounts.get(qun.account)
        live = wechat.directory.rooms.get(room_id)  # looked up now: it has changed while this waited for its turn
        if live is None or wechat.self_id not in live.member_ids:
            return
        self._groups.find_room(session, qun.account, room_id)
        there = set(live.member_ids) - {wechat.self_id}
        known = self._known(session, qun, room_id)
        self._recorder.joined(session, qun, room_id, *sorted(there - known))
        for contact_id in sorted(known - there):
            self._recorder.left(session, qun, room_id, contact_id)

    def _known(self, session: Session, qun: Qun, room_id: str) -> set[str]:
        rows = select(Membership.contact_id).where(
            Membership.number == qun.number, Membership.state == MemberState.JOINED, Membership.room_id == room_id
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
