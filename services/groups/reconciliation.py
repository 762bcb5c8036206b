"""Reconciles the database with what WeChat shows: missed joins and leaves, lost and recovered rooms."""

from __future__ import annotations

import logging
from typing import Final

from sqlmodel import Session, select

from errors import WeChatError, WeChatOffline, WeChatRefused
from models.db import Store
from models.groups import Membership, MemberState, Qun, QunRoom, QunState
from services.accounts.registry import Accounts
from services.groups.groups import Groups
from services.groups.membership_recorder import MembershipRecorder
from services.groups.room_presence import RoomPresence
from wechat.entities import Room

log = logging.getLogger(__name__)
MAX_READ: Final = 100  # maximum number of unknown members read per room


class Reconciler:
    """Compares the database with an account's directory."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        presence: RoomPresence,
        recorder: MembershipRecorder,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._presence = presence
        self._recorder = recorder

    async def account(self, account: str) -> list[str]:
        """Reconcile all rooms of an account; return the new friends for whom memberships wait."""
        directory = self._accounts.get(account).directory
        rooms = directory.rooms
        for wechat_room in list(rooms.values()):
            if wechat_room.join_state.isdecimal() and self._groups.by_room(account, wechat_room.id) is None:
                await self._adopt(account, wechat_room)
        for qun in self._groups:
            for room in self._groups.all_rooms(qun):
                if qun.account != account or not room.room_id or room.state in (QunState.MAKING, QunState.CLOSED):
                    continue
                if room.room_id in rooms:
                    if directory.was_read(room.room_id):  # otherwise it may be older than the database
                        await self._compare(qun, rooms[room.room_id])
                elif room.state == QunState.ACTIVE:
                    await self.try_room(account, room.room_id)
        return await self._store.read(lambda s: self._new_friends(s, account))

    async def _adopt(self, account: str, wechat_room: Room) -> None:
        """Add a room that WeCom created because the group's others were full."""
        qun = self._groups.by_number(int(wechat_room.join_state))
        if qun is None or qun.account != account or qun.state == QunState.CLOSED:
            return
        ordinal = max((room.ordinal for room in self._groups.all_rooms(qun)), default=0) + 1
        room = QunRoom(
            number=qun.number, ordinal=ordinal, account=account, room_id=wechat_room.id,
            topic=wechat_room.topic or qun.topic, state=QunState.ACTIVE,
        )  # fmt: skip
        await self._store.write(lambda s: self._groups.insert_room(s, room))

    async def room(self, account: str, room_id: str) -> Room | None:
        """Read a room and update its memberships; return None if the assistant is no longer in it.

        Raises WeChatError if the room cannot be read for another reason.
        """
        qun = self._groups.by_room(account, room_id)
        wechat = self._accounts.get(account)
        if qun is None or not wechat.self_id:
            return None
        try:
            room = await wechat.room(room_id, fresh=True)
        except WeChatRefused:  # gateways reject reading a room that the account is not in
            if await wechat.is_in_room(room_id):
                raise
            room = None
        wechat_room = wechat.directory.rooms.get(
            room_id
        )  # the directory keeps people who are missing on one reading only
        if room is None or wechat_room is None or wechat.self_id not in wechat_room.member_ids:
            log.warning("group %s: the assistant is no longer in room %s", qun.number, room_id)
            await self._store.write(lambda s: self._presence.mark_lost(s, account, room_id))
            return None
        await self._compare(qun, room)
        return room

    async def try_room(self, account: str, room_id: str) -> None:
        """Like `room`, but log errors; the drift check retries."""
        try:
            await self.room(account, room_id)
        except WeChatOffline:
            log.debug("room %s waits for the next sync", room_id)
        except WeChatError as error:
            log.warning("could not read room %s: %s", room_id, error)

    async def _compare(self, qun: Qun, room: Room) -> None:
        expected = await self._store.read(lambda s: self._known(s, qun, room.id))
        self._accounts.get(qun.account).directory.expect_members(room.id, expected)
        await self._learn_names(qun, room)
        await self._store.write(lambda s: self._correct_members(s, qun, room.id))

    async def _learn_names(self, qun: Qun, room: Room) -> None:
        """Read unknown members, so that the welcome message can name them."""
        wechat = self._accounts.get(qun.account)
        strangers = room.member_ids - wechat.directory.contacts.keys()
        if not strangers:
            return
        expected = await self._store.read(lambda s: self._known(s, qun, room.id))
        for contact_id in sorted(strangers - expected)[:MAX_READ]:
            try:
                await wechat.contact(contact_id)
            except WeChatError as error:
                log.info("could not read a member of room %s: %s", room.id, error)

    def _correct_members(self, session: Session, qun: Qun, room_id: str) -> None:
        wechat = self._accounts.get(qun.account)
        wechat_room = wechat.directory.rooms.get(
            room_id
        )  # read now, because it may have changed while this write was queued
        if wechat_room is None or wechat.self_id not in wechat_room.member_ids:
            return
        self._presence.mark_found(session, qun.account, room_id)
        current_ids = set(wechat_room.member_ids) - {wechat.self_id}
        expected = self._known(session, qun, room_id)
        self._recorder.record_joins(session, qun, room_id, *sorted(current_ids - expected))
        for contact_id in sorted(expected - current_ids):
            self._recorder.record_leave(session, qun, room_id, contact_id)

    def _known(self, session: Session, qun: Qun, room_id: str) -> set[str]:
        rows = select(Membership.contact_id).where(
            Membership.number == qun.number, Membership.state == MemberState.JOINED, Membership.room_id == room_id
        )
        return {contact_id for contact_id in session.exec(rows).all() if contact_id}

    def _new_friends(self, session: Session, account: str) -> list[str]:
        waiting = select(Membership).where(
            Membership.account == account, Membership.state == MemberState.WAITING_FRIEND
        )
        directory = self._accounts.get(account).directory
        new_friends = []
        for row in session.exec(waiting).all():
            friends = directory.find(row.contact_id or row.name, friends=True)
            if len(friends) == 1:
                new_friends.append(friends[0].id)
        return new_friends
