"""Requests of business systems to add a person, given by name, to a group."""

from __future__ import annotations

from errors import InviteFailed, MemberAmbiguous
from models.groups import MembershipSource, MemberState, Qun, QunState
from services.accounts.registry import Accounts
from services.groups.blacklist import Blacklist
from services.groups.groups import Groups
from services.groups.membership_states import MembershipStates
from services.groups.memberships import JoinOutcome, JoinResult, Memberships
from services.groups.roster_refresh import RosterRefresh
from wechat.entities import Contact
from wechat.interface import Capability


class JoinRequests:
    """Finds the person and adds them."""

    def __init__(
        self,
        accounts: Accounts,
        groups: Groups,
        roster: RosterRefresh,
        blacklist: Blacklist,
        states: MembershipStates,
        memberships: Memberships,
    ) -> None:
        self._accounts = accounts
        self._groups = groups
        self._roster = roster
        self._blacklist = blacklist
        self._states = states
        self._memberships = memberships

    async def join(self, token: str, member: str, actor: str, *, later: bool = False) -> JoinResult:
        """Add the person called `member` and return what WeChat showed.

        `later`: only queue the addition. Raises 3001–3006, 1007, 2002.
        """
        return await self.join_group(self._groups.joinable_by(token), member, actor, later=later)

    async def join_group(self, qun: Qun, member: str, actor: str, *, later: bool = False) -> JoinResult:
        """Do the same for an active group, regardless of its join token."""
        if qun.state != QunState.ACTIVE:
            raise InviteFailed(f"group {qun.number} is {qun.state}")
        wechat = self._accounts.get(qun.account) if later else self._accounts.online(qun.account)
        person = self._person(qun, member)
        if Capability.JOIN_BY_CODE in wechat.capabilities:
            later = False  # no call to WeChat is needed
        if later and person and person.friend and not self._groups.room_of(qun, person.id):
            self._blacklist.raise_if_listed(qun, person.id)
            return await self._queue(qun, person)  # no call to WeChat is needed: the assistant may be offline
        self._accounts.online(qun.account)
        await self._roster.read_unread_rooms(qun)
        person = self._person(qun, member)
        if person is None:
            await wechat.search_contacts(member)
            person = self._person(qun, member)
        namesakes = [] if person else wechat.directory.find(member)
        for candidate in [person] if person else namesakes:
            if person or member in (candidate.id, candidate.weixin):  # a stranger's nickname may be anybody's
                self._blacklist.raise_if_listed(qun, candidate.id)
        if person is not None and await self._is_in(qun, person.id):
            return JoinResult(JoinOutcome.OK, qun.account, await self._states.id_of(qun, person.id))
        if Capability.JOIN_BY_CODE in wechat.capabilities:
            row = await self._states.invite_by_code(qun, member, person.id if person else None)
            return JoinResult(JoinOutcome.INVITED, qun.account, row.id)
        if person is None or not person.friend:
            row = await self._states.wait_for_friend(qun, member, person, namesakes)
            return JoinResult(JoinOutcome.PENDING, qun.account, row.id)
        if later:  # WeChat reported the new friend only now
            return await self._queue(qun, person)
        return await self._memberships.admit(qun, person, source=MembershipSource.REST, actor=actor)

    async def _queue(self, qun: Qun, person: Contact) -> JoinResult:
        row = await self._states.queue(qun, person)
        invited = row.state == MemberState.INVITED
        return JoinResult(JoinOutcome.INVITED if invited else JoinOutcome.QUEUED, qun.account, row.id)

    def _person(self, qun: Qun, name: str) -> Contact | None:
        """Return the friend or member of this name; raise MemberAmbiguous."""
        member_sets = [room.member_ids for room in self._groups.wechat_rooms(qun)]
        members = (
            member_sets[0] if len(member_sets) == 1 else set().union(*member_sets)
        )  # hundreds need not be copied for each call
        matching = self._accounts.get(qun.account).directory.find(name, friends=True, also=members)
        if len(matching) > 1:
            raise MemberAmbiguous(", ".join(contact.id for contact in matching))
        return matching[0] if matching else None

    async def _is_in(self, qun: Qun, contact_id: str) -> bool:
        """Whether WeChat shows the person in the group; a leave without an event is recorded."""
        room = self._groups.room_of(qun, contact_id)
        if room is None:
            return False
        if await self._roster.room_of(qun, contact_id):
            return True
        await self._states.record_leave(qun, room.id, contact_id)
        return False
