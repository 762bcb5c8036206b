"""Removing people from groups, withdrawing and expiring requests to join."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

from sqlmodel import Session, col, select

from concurrency import SingleFlight
from config.settings import GroupSettings
from errors import (
    AssistantOffline,
    GroupFull,
    InviteFailed,
    MemberBlacklisted,
    NotFound,
    WeChatError,
    WeChatOffline,
)
from models.db import Store
from models.groups import OPEN_STATES, Membership, MemberState, Qun, QunState
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.clock import DAY, Clock
from services.groups.groups import Groups
from services.groups.membership_recorder import MembershipRecorder
from services.groups.membership_rows import membership_of, move
from services.groups.roster_refresh import RosterRefresh
from wechat.interface import WeChat

log = logging.getLogger(__name__)
FIRST_WAIT: Final = 300.0  # seconds before a failed request is retried; after that the waits grow with its age


class Removals:
    """Removes people from groups."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        recorder: MembershipRecorder,
        roster: RosterRefresh,
        audit: Audit,
        settings: GroupSettings,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._recorder = recorder
        self._roster = roster
        self._audit = audit
        self._settings = settings
        self._clock = clock
        # the result is a JoinResult, which memberships.py defines
        self._adding = SingleFlight[tuple[int, str], Any](_log_not_added)

    async def get(self, membership_id: int) -> Membership:
        """Return the membership of this id; raise NotFound.

        If it was requested by name for a person who already has a membership, that one is returned.
        """
        row = await self._store.read(lambda s: self._meant(s, membership_id))
        if row is None:
            raise NotFound(f"membership {membership_id}")
        return row

    def _meant(self, session: Session, membership_id: int) -> Membership | None:
        row = session.get(Membership, membership_id)
        if row is None or row.contact_id in (None, row.who):
            return row
        return membership_of(session, row.number, row.contact_id or "")

    async def remove(self, membership_id: int, who: str) -> None:
        """Remove the person from the group and verify it. Idempotent."""
        row = await self.get(membership_id)
        qun = self._groups.by_number(row.number)
        if qun is None:
            raise NotFound(f"group {row.number}")
        if row.contact_id is not None:
            self._accounts.online(qun.account)
            if row.state == MemberState.JOINED and qun.state != QunState.ACTIVE:
                raise InviteFailed(f"group {qun.number} is {qun.state}")
            await self._roster.of_start(qun)
            await self._roster.room_of(qun, row.contact_id, row.room_id if row.state == MemberState.JOINED else None)
            await self._call_off(qun, row)
            await self.take_out(qun, row.contact_id, who)
        await self._store.write(lambda s: self._close(s, qun, row.id or 0))

    async def _call_off(self, qun: Qun, row: Membership) -> None:
        """End an open request to join.

        One that is queued ends when its turn comes. If WeChat was already called, wait for the result, so that the
        person can
        then be removed.
        """
        await self._store.write(lambda s: self._close(s, qun, row.id or 0))
        running = self._adding.running((qun.number, row.contact_id or ""))
        if running is not None:
            await asyncio.wait((running,), timeout=self._settings.confirm_seconds)

    async def _is_open(self, membership_id: int) -> bool:
        return (await self._store.read(lambda s: s.get_one(Membership, membership_id))).state in OPEN_STATES

    async def take_out(self, qun: Qun, contact_id: str, who: str) -> None:
        """Remove the person from every room of the group; raise InviteFailed if WeChat refuses (only owners can
        remove).
        """
        try:
            await self.put_out(qun, contact_id, who)
        except WeChatOffline:
            raise
        except WeChatError as error:
            raise InviteFailed(str(error)) from error

    async def put_out(self, qun: Qun, contact_id: str, who: str) -> list[str]:
        """Remove the person from every room of the group and verify it; return the room ids.

        Raises WeChatError and AssistantOffline.
        """
        wechat = self._accounts.online(qun.account)
        rooms = [room.id for room in self._groups.live_rooms(qun) if contact_id in room.member_ids]
        for room_id in rooms:
            with self._recorder.taking_out(qun, contact_id):
                await self._put_out_of(wechat, qun, room_id, contact_id, who)
        return rooms

    async def _put_out_of(self, wechat: WeChat, qun: Qun, room_id: str, contact_id: str, who: str) -> None:
        action = await self._audit.tried(qun.account, "remove", who, contact_id, number=str(qun.number))
        try:
            await wechat.remove_member(room_id, contact_id)
        except WeChatError as error:
            self._accounts.heed(qun.account, error)
            if not await _is_gone(wechat, room_id, contact_id):
                await self._audit.ended(action, "failed", str(error))
                raise
        await self._audit.ended(action, "done")
        await self._store.write(lambda s: self._recorder.left(s, qun, room_id, contact_id, removed=True))

    def _close(self, session: Session, qun: Qun, membership_id: int) -> None:
        row = session.get_one(Membership, membership_id)
        if row.state in OPEN_STATES:
            self._recorder.refused(session, qun, row, "taken back")
        elif row.state == MemberState.JOINED and row.contact_id and not self._groups.room_of(qun, row.contact_id):
            self._recorder.left(session, qun, row.room_id or "", row.contact_id)  # they had already left

    async def _note_failure(self, qun: Qun, contact_id: str, error: Exception) -> None:
        """Record a failed attempt. GroupFull and MemberBlacklisted end the request; others are retried until it
        expires.
        """

        def note(session: Session) -> None:
            row = membership_of(session, qun.number, contact_id)
            if row is None or row.state not in OPEN_STATES:
                return
            if isinstance(error, GroupFull | MemberBlacklisted):
                self._recorder.refused(session, qun, row, type(error).__name__)
                return
            until = row.expires_at or self._waits_until()
            # not a failure of this request
            why = "" if isinstance(error, AssistantOffline | WeChatOffline) else str(error)
            move(session, row, self._clock(), MemberState.REQUESTED, why, until)

        await self._store.write(note)

    def _waits_until(self) -> float:
        """Return the expiry time of a request that starts to wait now."""
        return self._clock() + self._settings.pending_days * DAY

    async def once_in(self, qun: Qun) -> list[str]:
        """Return the ids of former members of the group."""
        gone = (MemberState.LEFT, MemberState.REMOVED)
        wanted = select(Membership.who).where(Membership.number == qun.number, col(Membership.state).in_(gone))
        return list(await self._store.read(lambda s: s.exec(wanted).all()))

    async def open_rows(self, account: str) -> Sequence[Membership]:
        """Return the interrupted or failed requests that are due. REST callers repeat theirs themselves."""
        wanted = select(Membership).where(
            Membership.account == account,
            col(Membership.state).in_((MemberState.REQUESTED, MemberState.ADDING)),
            Membership.source != "rest",
        )
        rows = await self._store.read(lambda s: s.exec(wanted).all())
        return [row for row in rows if (row.number, row.contact_id or "") not in self._adding and self._is_due(row)]

    def _is_due(self, row: Membership) -> bool:
        """Whether a failed request is due for a retry, with growing waits."""
        if not row.error or row.expires_at is None:
            return True
        first = row.expires_at - self._settings.pending_days * DAY
        return self._clock() - row.updated_at >= max(FIRST_WAIT, row.updated_at - first)

    async def expire(self) -> int:
        """Expire open requests whose time is over; return their number."""

        def end(session: Session) -> int:
            late = select(Membership).where(
                col(Membership.state).in_(OPEN_STATES),
                col(Membership.expires_at) <= self._clock(),
            )
            rows = session.exec(late).all()
            for row in rows:
                row.state, row.updated_at = MemberState.EXPIRED, self._clock()
                session.add(row)
            return len(rows)

        return await self._store.write(end)


def _log_not_added(key: tuple[int, str], error: BaseException) -> None:
    log.info("group %s: %s not added: %s", *key, error)


async def _is_gone(wechat: WeChat, room_id: str, contact_id: str) -> bool:
    """Whether WeChat shows that the person has left the room, although the removal failed."""
    try:
        return contact_id not in (await wechat.room(room_id, fresh=True)).member_ids
    except WeChatError:
        return False
