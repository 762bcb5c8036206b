"""Adds people to groups: one state machine for all requests, advanced by what WeChat shows.

For each step that calls WeChat, a row is stored with its state before the call and updated with the observed result.
After a crash, work continues from the row.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from concurrency import SingleFlight
from errors import AssistantOffline, BotError, GroupFull, InviteFailed, WeChatError, WeChatOffline
from models.groups import Membership, MembershipReason, MembershipSource, MemberState, Qun, QunState
from services.accounts.registry import Accounts
from services.groups.adding import AddResult, MemberAdder
from services.groups.blacklist import Blacklist
from services.groups.groups import Groups
from services.groups.membership_states import MembershipStates
from services.groups.roster_refresh import RosterRefresh
from services.groups.seat_reservations import SeatReservations
from wechat.entities import Contact, Room
from wechat.interface import Capability

log = logging.getLogger(__name__)
NOT_A_FRIEND = "不是你的好友"  # WeChat, about a person to be added


class JoinOutcome(StrEnum):
    """The answer to a request to join."""

    OK = "ok"
    INVITED = "invited"
    PENDING = "pending"
    QUEUED = "queued"  # the caller does not wait; the person is added when their turn comes


@dataclass(frozen=True, slots=True)
class JoinResult:
    """Answer to a request to join; `id` is the membership, if there is one."""

    outcome: JoinOutcome
    account: str
    id: int | None = None


class Memberships:
    """Adds friends of an assistant to its groups."""

    def __init__(
        self,
        accounts: Accounts,
        groups: Groups,
        roster: RosterRefresh,
        blacklist: Blacklist,
        states: MembershipStates,
        adder: MemberAdder,
        seats: SeatReservations,
    ) -> None:
        self._accounts = accounts
        self._groups = groups
        self._roster = roster
        self._blacklist = blacklist
        self._states = states
        self._adder = adder
        self._seats = seats
        self._adding = SingleFlight[tuple[int, str], JoinResult](_log_not_added)

    async def admit(self, qun: Qun, person: Contact, *, source: str, actor: str) -> JoinResult:
        """Add a friend of the assistant to the group, or invite them; concurrent calls share the result."""
        return await self._adding.run((qun.number, person.id), lambda: self._admit(qun, person, source, actor))

    async def wait_for_running_add(self, qun: Qun, contact_id: str) -> None:
        """Wait until WeChat has answered the call that is adding this person now, if there is one."""
        running = self._adding.running((qun.number, contact_id))
        if running is not None:
            await asyncio.wait((running,), timeout=self._adder.confirm_seconds)

    async def _admit(self, qun: Qun, person: Contact, source: str, actor: str) -> JoinResult:
        row = await self._states.find(qun, person.id)
        try:
            await self._roster.read_unread_rooms(qun)
            invited = row if self._states.is_pending(row, MemberState.INVITED) else None
            if invited and not await self._roster.room_of(qun, person.id, invited.room_id):
                return JoinResult(JoinOutcome.INVITED, qun.account, invited.id)
            self._blacklist.raise_if_listed(qun, person.id)
            if (current_room := self._groups.room_of(qun, person.id)) is not None:
                await self._states.record_join(qun, current_room.id, person.id)
                return JoinResult(JoinOutcome.OK, qun.account, await self._states.id_of(qun, person.id))
            if Capability.JOIN_BY_CODE in self._accounts.get(qun.account).capabilities:
                invited = await self._states.invite_by_code(qun, person.name, person.id)
                return JoinResult(JoinOutcome.INVITED, qun.account, invited.id)
            until = row.expires_at if row and row.state == MemberState.REQUESTED else None
            return await self._add_to_any_room(qun, person, source, actor, until)
        except (BotError, WeChatError) as error:
            if isinstance(error, InviteFailed) and await self._is_stranger(qun, person.id, error):
                row = await self._states.wait_for_friend(qun, person.name, person, ())
                return JoinResult(JoinOutcome.PENDING, qun.account, row.id)
            await self._states.record_failure(qun, person.id, error)
            raise

    async def _is_stranger(self, qun: Qun, contact_id: str, error: InviteFailed) -> bool:
        """Whether the person has deleted the assistant, which WeChat may report only on an attempt."""
        if NOT_A_FRIEND in error.detail:
            return True
        try:
            return not (await self._accounts.get(qun.account).contact(contact_id, fresh=True)).friend
        except WeChatError:
            return False

    async def _add_to_any_room(
        self, qun: Qun, person: Contact, source: str, actor: str, until: float | None
    ) -> JoinResult:
        """Add the person where there is a seat; in the next room if WeChat has fewer seats than configured."""
        before, full = len(self._groups.wechat_rooms(qun)), set[str]()
        try:
            while True:
                room = await self._seats.reserve(qun, person.id, actor, full)
                try:
                    return await self._add(qun, room, person, source, actor, until)
                except GroupFull:
                    full.add(room.id)
                    if not self._seats.may_overflow or len(full) > before:  # the new room is full, too
                        raise
        finally:
            self._seats.release(qun, person.id)

    async def _add(
        self, qun: Qun, room: Room, person: Contact, source: str, actor: str, until: float | None
    ) -> JoinResult:
        row = await self._states.record_adding(qun, room, person, source, until)
        seen = await self._adder.add(qun, room, row, actor, may_wait=source != MembershipSource.REST)
        if seen is AddResult.JOINED:
            await self._states.record_join(qun, room.id, person.id)
            return JoinResult(JoinOutcome.OK, qun.account, row.id)
        await self._states.record_invitation(qun, row.id or 0, by_owner=seen is AddResult.OWNER_ASKED)
        return JoinResult(JoinOutcome.INVITED, qun.account, row.id)

    # ---- new friends and interrupted requests ----

    async def became_friend(self, account: str, contact_id: str) -> None:
        """Add the person to every group that waits for them to become a friend."""
        wechat = self._accounts.get(account)
        person = await wechat.contact(contact_id)
        called = {name for name in (person.name, person.alias, person.weixin, person.id) if name}
        # A name that several friends have is not accepted.
        names = {name for name in called if not _is_shared(wechat.directory.find(name, friends=True), person.id)}
        for row in await self._states.became_friend(account, person, names):
            await self.resume(row)

    async def interrupted(self, account: str) -> list[Membership]:
        """Return an account's requests that are due for a retry and not running."""
        rows = await self._states.interrupted(account)
        return [row for row in rows if (row.number, row.contact_id or "") not in self._adding]

    async def resume(self, row: Membership) -> JoinResult | None:
        """Continue an open request; people who asked themselves are notified of the result."""
        qun = self._groups.by_number(row.number)
        if qun is None or row.contact_id is None or qun.state != QunState.ACTIVE:
            return None
        person = await self._accounts.get(row.account).contact(row.contact_id)
        try:
            answer = await self.admit(qun, person, source=row.source, actor=f"person:{person.id}")
        except (AssistantOffline, WeChatOffline):
            return None  # tried again at the next sync
        except (BotError, WeChatError) as error:
            log.warning("group %s: join request of %s failed: %s", row.number, person.id, error)
            withdrawn = isinstance(error, BotError) and error.detail == MembershipReason.WITHDRAWN
            if (
                not row.error and not withdrawn and row.source != MembershipSource.ASYNC
            ):  # notify once, not at each failure
                self._states.notify_outcome_soon(qun, person.id, error)
            return None
        if answer.outcome is JoinOutcome.INVITED and row.source != MembershipSource.ASYNC:
            self._states.notify_outcome_soon(qun, person.id, None)
        return answer


def _log_not_added(key: tuple[int, str], error: BaseException) -> None:
    log.info("group %s: could not add %s: %s", *key, error)


def _is_shared(people: Iterable[Contact], contact_id: str) -> bool:
    return any(person.id != contact_id for person in people)
