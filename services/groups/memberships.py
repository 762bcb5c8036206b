"""People's ways into groups and out of them: one state machine, whoever asks, told only by what WeChat shows.

requested → waiting_friend → adding → invited → joined | refused | expired; joined → left | removed.
A step that talks to WeChat is a row with a state, the call, then what was seen; after a crash the row says where to
go on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from sqlmodel import Session

from config.settings import GroupSettings
from errors import (
    AssistantOffline,
    BotError,
    GroupFull,
    InviteFailed,
    MemberAmbiguous,
    MemberBlacklisted,
    TokenExpired,
    TokenInvalid,
    WeChatError,
    WeChatOffline,
)
from models.db import Store
from models.groups import OPEN_STATES, Membership, MemberState, Qun, QunState
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.clock import Clock
from services.groups.adding import TAKEN_BACK, AddResult, MemberAdder, Way
from services.groups.blacklist import Blacklist
from services.groups.groups import Groups
from services.groups.membership_recorder import MembershipRecorder
from services.groups.membership_rows import adopt_pending, earlier_ids, membership_of, move, put_membership
from services.groups.removals import Removals
from services.groups.roster_refresh import RosterRefresh
from services.groups.seat_reservations import SeatReservations
from services.messaging.webhook_events import WebhookEvents
from wechat.events import Contact, Room

log = logging.getLogger(__name__)
ASYNC = "async"  # the source of a way in that a business system does not wait for
STRANGER = "不是你的好友"  # WeChat, of somebody to be added


class Approved(StrEnum):
    """What a request to join is answered with."""

    OK = "ok"
    INVITED = "invited"
    PENDING = "pending"
    QUEUED = "queued"  # the caller does not wait; it is gone on with when its turn comes


@dataclass(frozen=True, slots=True)
class JoinResult:
    """The answer to a request to join; `id` names the membership where one is kept."""

    approved: Approved
    account: str
    id: int | None = None


class Memberships(Removals):
    """Lets people in; taking them out is in Departures."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        adder: MemberAdder,
        places: SeatReservations,
        blacklist: Blacklist,
        recorder: MembershipRecorder,
        roster: RosterRefresh,
        audit: Audit,
        webhook_events: WebhookEvents,
        settings: GroupSettings,
        clock: Clock,
    ) -> None:
        super().__init__(store, accounts, groups, recorder, roster, audit, settings, clock)
        self._adder = adder
        self._places = places
        self._blacklist = blacklist
        self._webhook_events = webhook_events
        self._ids: dict[tuple[int, str], int] = {}  # of memberships: a row's never changes

    def group_of(self, token: str) -> Qun:
        """The group a join token leads into; TokenInvalid, TokenExpired, InviteFailed when the group is lost."""
        qun = self._groups.by_token(token)
        if qun is None:
            raise TokenInvalid
        if self._groups.token_expired(qun):
            raise TokenExpired(str(qun.number))
        if qun.state == QunState.CLOSED:
            raise TokenExpired(f"group {qun.number} is closed")
        if qun.state != QunState.ACTIVE:
            raise InviteFailed(f"group {qun.number} is {qun.state}")
        return qun

    async def request(self, token: str, member: str, who: str, *, later: bool = False) -> JoinResult:
        """Let the person called `member` in; what is answered was seen in WeChat. `later`: a friend who is not in yet
        is added when their turn comes, and QUEUED is the answer. Raises 3001–3006, 1007, 2002."""
        qun = self.group_of(token)
        wechat = self._accounts.get(qun.account) if later else self._accounts.online(qun.account)
        if later and (known := self._person(qun, member)) and known.friend and not self._groups.room_of(qun, known.id):
            self._refuse_blacklisted(qun, known.id)
            return await self._queue(qun, known)
        self._accounts.online(qun.account)
        await self._roster.of_start(qun)
        person = self._person(qun, member)
        if person is None:
            await wechat.look_for(member)
            person = self._person(qun, member)
        for known in [person] if person else wechat.directory.find(member):
            if person or member in (known.id, known.weixin):  # a stranger's nickname may be anybody's
                self._refuse_blacklisted(qun, known.id)
        if person is not None and await self._is_in(qun, person.id):
            return JoinResult(Approved.OK, wechat.account, await self._id_of(qun, person.id))
        if person is None or not person.friend:
            row = await self._store.write(lambda s: self._wait_for_friend(s, qun, member, person))
            return JoinResult(Approved.PENDING, wechat.account, row.id)
        return await self.let_in(qun, person, source="rest", who=who)

    async def _queue(self, qun: Qun, person: Contact) -> JoinResult:
        """Keep that the person is to be added; one whose way in is open already is left to it."""

        def write(session: Session) -> Membership:
            row = membership_of(session, qun.number, person.id)
            if row is not None and row.state in OPEN_STATES and (row.expires_at or 0) > self._clock():
                return row
            return put_membership(
                session, qun, self._clock(), name=person.name, contact_id=person.id,
                state=MemberState.REQUESTED, source=ASYNC, expires_at=self._waits_until(),
            )  # fmt: skip

        row = await self._store.write(write)
        invited = row.state == MemberState.INVITED
        return JoinResult(Approved.INVITED if invited else Approved.QUEUED, qun.account, row.id)

    async def _is_in(self, qun: Qun, contact_id: str) -> bool:
        """Whether WeChat shows the person in the group; a leave that nobody told of is noted."""
        known = self._groups.room_of(qun, contact_id)
        if known is None:
            return False
        if await self._roster.room_of(qun, contact_id):
            return True
        await self._store.write(lambda s: self._recorder.left(s, qun, known.id, contact_id))
        return False

    async def _id_of(self, qun: Qun, contact_id: str) -> int | None:
        key = (qun.number, contact_id)
        if key not in self._ids:
            row = await self._store.read(lambda s: membership_of(s, *key))
            if row is None:
                return None
            self._ids[key] = row.id or 0
        return self._ids[key]

    def _person(self, qun: Qun, name: str) -> Contact | None:
        crowds = [room.member_ids for room in self._groups.live_rooms(qun)]
        members = crowds[0] if len(crowds) == 1 else set().union(*crowds)  # hundreds need not be copied for each call
        found = self._accounts.get(qun.account).directory.find(name, friends=True, also=members)
        if len(found) > 1:
            raise MemberAmbiguous(", ".join(contact.id for contact in found))
        return found[0] if found else None

    def _refuse_blacklisted(self, qun: Qun, contact_id: str) -> None:
        if self._blacklist.holds(qun.number, contact_id):
            raise MemberBlacklisted(contact_id)

    def _wait_for_friend(self, session: Session, qun: Qun, name: str, person: Contact | None) -> Membership:
        strangers = self._accounts.get(qun.account).directory.find(name) if person is None else [person]
        for who in (*(one.id for one in strangers), f"name:{name}"):
            row = membership_of(session, qun.number, who)
            if row and row.state == MemberState.WAITING_FRIEND and (row.expires_at or 0) > self._clock():
                return row
        return put_membership(
            session, qun, self._clock(), name=name, contact_id=person.id if person else None,
            state=MemberState.WAITING_FRIEND, expires_at=self._waits_until(),
        )  # fmt: skip

    async def let_in(self, qun: Qun, person: Contact, *, source: str, who: str) -> JoinResult:
        """Add a friend of the assistant to the group, or invite them; a call for the same person joins this one."""
        key = (qun.number, person.id)
        result: JoinResult = await self._adding.run(key, lambda: self._let_in(qun, person, source, who))
        return result

    async def _let_in(self, qun: Qun, person: Contact, source: str, who: str) -> JoinResult:
        row = await self._store.read(lambda s: membership_of(s, qun.number, person.id))
        try:
            await self._roster.of_start(qun)
            invited = row is not None and row.state == MemberState.INVITED and (row.expires_at or 0) > self._clock()
            if row and invited and not await self._roster.room_of(qun, person.id, row.room_id):
                return JoinResult(Approved.INVITED, qun.account, row.id)
            self._refuse_blacklisted(qun, person.id)
            if (there := self._groups.room_of(qun, person.id)) is not None:
                await self._store.write(lambda s: self._recorder.joined(s, qun, there.id, person.id))
                return JoinResult(Approved.OK, qun.account, await self._id_of(qun, person.id))
            until = row.expires_at if row and row.state == MemberState.REQUESTED else None
            return await self._add_somewhere(qun, person, source, who, until)
        except (BotError, WeChatError) as error:
            if isinstance(error, InviteFailed) and await self._is_stranger(qun, person.id, error):
                row = await self._store.write(lambda s: self._wait_for_friend(s, qun, person.name, person))
                return JoinResult(Approved.PENDING, qun.account, row.id)
            await self._note_failure(qun, person.id, error)
            raise

    async def _is_stranger(self, qun: Qun, contact_id: str, error: InviteFailed) -> bool:
        """Who took the assistant out of their contacts cannot be added; WeChat tells when it is tried, or never."""
        if STRANGER in error.detail:
            return True
        try:
            return not (await self._accounts.get(qun.account).contact(contact_id, fresh=True)).friend
        except WeChatError:
            return False

    async def _add_somewhere(self, qun: Qun, person: Contact, source: str, who: str, until: float | None) -> JoinResult:
        """Where there is a place: in the next room where WeChat lets in fewer than the config says."""
        before, full = len(self._groups.live_rooms(qun)), set[str]()
        try:
            while True:
                room = await self._places.take(qun, person.id, who, full)
                try:
                    return await self._add(qun, room, person, source, who, until)
                except GroupFull:
                    full.add(room.id)
                    if not self._settings.overflow or len(full) > before:  # a new one, too
                        raise
        finally:
            self._places.give_back(qun, person.id)

    async def _add(
        self, qun: Qun, room: Room, person: Contact, source: str, who: str, until: float | None
    ) -> JoinResult:
        until = until or self._waits_until()
        values = {"state": MemberState.ADDING, "source": source, "room_id": room.id, "expires_at": until}
        row = await self._store.write(
            lambda s: put_membership(s, qun, self._clock(), name=person.name, contact_id=person.id, **values)
        )
        way = Way(partial(self._is_open, row.id or 0), partial(self._note_invited, row.id or 0))
        seen = await self._adder.add(qun, room, person.id, who, way=way, patient=source != "rest")
        await self._store.write(lambda s: self._note_seen(s, qun, room, person, seen, row.id or 0))
        return JoinResult(Approved.OK if seen is AddResult.JOINED else Approved.INVITED, qun.account, row.id)

    async def _note_invited(self, row_id: int) -> None:
        def note(session: Session) -> None:
            row = session.get_one(Membership, row_id)
            if row.state == MemberState.ADDING:
                move(session, row, self._clock(), MemberState.INVITED, "", self._waits_until())

        await self._store.write(note)

    def _note_seen(self, session: Session, qun: Qun, room: Room, person: Contact, seen: AddResult, row_id: int) -> None:
        if seen is AddResult.JOINED:
            self._recorder.joined(session, qun, room.id, person.id)
            return
        row = session.get_one(Membership, row_id)
        if row.state not in OPEN_STATES:  # the join was seen while we were writing, or the request taken back
            return
        why = "owner" if seen is AddResult.OWNER_ASKED else ""
        move(session, row, self._clock(), MemberState.INVITED, why, self._waits_until())
        self._webhook_events.tell(session, "member.invited", str(qun.number), self._recorder.data(qun, row))

    # ---- who became a friend, what a crash left open ----

    async def became_friend(self, account: str, contact_id: str) -> None:
        """Let the person into every group they were approved for while they were not a friend yet."""
        wechat = self._accounts.get(account)
        person = await wechat.contact(contact_id)
        called = {name for name in (person.name, person.alias, person.weixin, person.id) if name}
        # Who else is called so might be meant as well: then nobody is let in on the strength of a name.
        names = {f"name:{name}" for name in called if not _others(wechat.directory.find(name, friends=True), person.id)}
        names |= await self._store.read(lambda s: earlier_ids(s, account, person.id, person.weixin, person.name))
        for row in await self._store.write(lambda s: adopt_pending(s, account, person.id, names, self._clock())):
            await self.go_on(row)

    async def go_on(self, row: Membership) -> JoinResult | None:
        """Do what an open row still wants; its person is told what came of it where they asked themselves."""
        qun = self._groups.by_number(row.number)
        if qun is None or row.contact_id is None or qun.state != QunState.ACTIVE:
            return None
        person = await self._accounts.get(row.account).contact(row.contact_id)
        try:
            answer = await self.let_in(qun, person, source=row.source, who=f"person:{person.id}")
        except (AssistantOffline, WeChatOffline):
            return None  # gone on with at the next sync
        except (BotError, WeChatError) as error:
            log.warning("group %s: %s not let in: %s", row.number, person.id, error)
            if (
                not row.error and TAKEN_BACK not in str(error) and row.source != ASYNC
            ):  # a repeat that fails again is not told again
                self._tell_soon(qun, person.id, error)
            return None
        if answer.approved is Approved.INVITED and row.source != ASYNC:
            self._tell_soon(qun, person.id, None)
        return answer

    def _tell_soon(self, qun: Qun, contact_id: str, error: Exception | None) -> None:
        self._store.write_soon(lambda s: self._recorder.tell_outcome(s, qun, contact_id, error))


def _others(people: Iterable[Contact], contact_id: str) -> bool:
    return any(person.id != contact_id for person in people)
