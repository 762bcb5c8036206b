"""Removes people from groups and verifies it."""

from __future__ import annotations

from errors import InviteFailed, NotFound, WeChatError, WeChatOffline
from models.durable import Outcome
from models.groups import MemberState, Qun, QunState
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.groups.groups import Groups
from services.groups.membership_recorder import MembershipRecorder
from services.groups.membership_states import MembershipStates
from services.groups.memberships import Memberships
from services.groups.roster_refresh import RosterRefresh
from wechat.interface import Capability, WeChat


class Removals:
    """Removes people from the rooms of a group."""

    def __init__(
        self,
        accounts: Accounts,
        groups: Groups,
        recorder: MembershipRecorder,
        roster: RosterRefresh,
        states: MembershipStates,
        memberships: Memberships,
        audit: Audit,
    ) -> None:
        self._accounts = accounts
        self._groups = groups
        self._recorder = recorder
        self._roster = roster
        self._states = states
        self._memberships = memberships
        self._audit = audit

    async def end_membership(self, membership_id: int, actor: str) -> None:
        """Withdraw an open request, or remove the person; do nothing if they have left.

        Raises NotFound, AssistantOffline, and InviteFailed if WeChat does not remove them (only owners may).
        """
        row = await self._states.get(membership_id)
        qun = self._groups.by_number(row.number)
        if qun is None:
            raise NotFound(f"group {row.number}")
        if row.contact_id is not None:
            self._accounts.online(qun.account)
            if row.state == MemberState.JOINED and qun.state != QunState.ACTIVE:
                raise InviteFailed(f"group {qun.number} is {qun.state}")
            await self._roster.read_unread_rooms(qun)
            await self._roster.room_of(qun, row.contact_id, row.room_id if row.state == MemberState.JOINED else None)
            await self._states.withdraw(qun, row.id or 0)
            await self._memberships.wait_for_running_add(qun, row.contact_id)  # that call may still add them
            try:
                await self.remove(qun, row.contact_id, actor)
            except WeChatOffline:
                raise
            except WeChatError as error:
                raise InviteFailed(str(error)) from error
        await self._states.withdraw(qun, row.id or 0)

    async def remove(self, qun: Qun, contact_id: str, actor: str) -> list[str]:
        """Remove the person from every room of the group and verify it; return the rooms' ids.

        Raises AssistantOffline, and WeChatError as WeChat answers.
        """
        wechat = self._accounts.online(qun.account)
        rooms = [room.id for room in self._groups.wechat_rooms(qun) if contact_id in room.member_ids]
        if rooms:
            self._accounts.require(qun.account, Capability.REMOVE_MEMBER)
        for room_id in rooms:
            with self._recorder.removing(qun, contact_id):
                await self._remove_from(wechat, qun, room_id, contact_id, actor)
        return rooms

    async def _remove_from(self, wechat: WeChat, qun: Qun, room_id: str, contact_id: str, actor: str) -> None:
        action = await self._audit.begin(qun.account, "remove", actor, contact_id, number=str(qun.number))
        try:
            await wechat.remove_member(room_id, contact_id)
        except WeChatError as error:
            self._accounts.handle_rate_limit(qun.account, error)
            if not await _is_gone(wechat, room_id, contact_id):
                await self._audit.end(action, Outcome.FAILED, str(error))
                raise
        await self._audit.end(action, Outcome.DONE)
        await self._states.record_leave(qun, room_id, contact_id)


async def _is_gone(wechat: WeChat, room_id: str, contact_id: str) -> bool:
    """Whether WeChat shows that the person has left the room, although the removal failed."""
    try:
        return contact_id not in (await wechat.room(room_id, fresh=True)).member_ids
    except WeChatError:
        return False
