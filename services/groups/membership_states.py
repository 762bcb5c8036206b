"""The membership rows and their state transitions, without calls to WeChat.

requested → waiting_friend → adding → invited → joined | refused | expired; joined → left | removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlmodel import Session, col, select

from config.settings import GroupSettings
from errors import AssistantOffline, GroupFull, MemberBlacklisted, NotFound, WeChatOffline
from models.db import Store
from models.groups import OPEN_STATES, Membership, MembershipReason, MembershipSource, MemberState, Qun
from services.clock import DAY, Clock
from services.groups.group_notices import GroupNotices
from services.groups.groups import Groups
from services.groups.membership_recorder import MembershipRecorder
from services.groups.membership_rows import adopt_pending, earlier_ids, membership_of, move, put_membership
from wechat.entities import Contact, Room

FIRST_WAIT: Final = 300.0  # seconds before a failed request is tried again; the wait doubles with each failure
REFUSALS: Final[dict[type[Exception], MembershipReason]] = {
    GroupFull: MembershipReason.GROUP_FULL,
    MemberBlacklisted: MembershipReason.BLACKLISTED,
}


class MembershipStates:
    """Reads and writes membership rows."""

    def __init__(
        self,
        store: Store,
        groups: Groups,
        recorder: MembershipRecorder,
        notices: GroupNotices,
        settings: GroupSettings,
        clock: Clock,
    ) -> None:
        self._store = store
        self._groups = groups
        self._recorder = recorder
        self._notices = notices
        self._settings = settings
        self._clock = clock
        self._ids: dict[tuple[int, str], int] = {}  # (group, contact) -> row id, which never changes

    def waits_until(self) -> float:
        """Return when a request that begins to wait now expires."""
        return self._clock() + self._settings.pending_days * DAY

    def is_pending(self, row: Membership | None, *states: MemberState) -> bool:
        """Whether a row is in one of these states, or any open one, and not past its time."""
        return row is not None and row.state in (states or OPEN_STATES) and (row.expires_at or 0) > self._clock()

    def days_left(self, row: Membership) -> int:
        """Return the whole days until a row expires, at least one."""
        return max(1, round(((row.expires_at or 0) - self._clock()) / DAY))

    async def invite_by_code(self, qun: Qun, name: str, contact_id: str | None) -> Membership:
        """Record that a person may join by the group's QR code; an invitation that is still open is returned."""

        def invite(session: Session) -> Membership:
            row = membership_of(session, qun.number, contact_id or f"name:{name}")
            if row is not None and self.is_pending(row, MemberState.INVITED):
                return row
            row = put_membership(
                session, qun, self._clock(), name=name, contact_id=contact_id,
                state=MemberState.INVITED, expires_at=self.waits_until(),
            )  # fmt: skip
            self._notices.publish_membership(session, "member.invited", qun, row)
            return row

        return await self._store.write(invite)

    # ---- reading ----

    async def get(self, membership_id: int) -> Membership:
        """Return a membership; raise NotFound. A request by name may turn out to be for an existing membership."""

        def read(session: Session) -> Membership | None:
            row = session.get(Membership, membership_id)
            if row is None or row.contact_id in (None, row.who):
                return row
            return membership_of(session, row.number, row.contact_id or "")

        row = await self._store.read(read)
        if row is None:
            raise NotFound(f"membership {membership_id}")
        return row

    async def find(self, qun: Qun, contact_id: str) -> Membership | None:
        """Return the membership of a person in a group."""
        return await self._store.read(lambda s: membership_of(s, qun.number, contact_id))

    async def id_of(self, qun: Qun, contact_id: str) -> int | None:
        """Return the id of a person's membership, cached."""
        key = (qun.number, contact_id)
        if key not in self._ids:
            row = await self.find(qun, contact_id)
            if row is None:
                return None
            self._ids[key] = row.id or 0
        return self._ids[key]

    async def is_open(self, membership_id: int) -> bool:
        """Whether the request is still open."""
        return (await self._store.read(lambda s: s.get_one(Membership, membership_id))).state in OPEN_STATES

    async def former_members(self, qun: Qun) -> list[str]:
        """Return the ids of people who left the group or were removed."""
        ended_states = (MemberState.LEFT, MemberState.REMOVED)
        query = select(Membership.who).where(Membership.number == qun.number, col(Membership.state).in_(ended_states))
        return list(await self._store.read(lambda s: s.exec(query).all()))

    async def interrupted(self, account: str) -> Sequence[Membership]:
        """Return the interrupted or failed requests that are due for a retry, except those by REST, whose callers
        retry.
        """
        query = select(Membership).where(
            Membership.account == account,
            col(Membership.state).in_((MemberState.REQUESTED, MemberState.ADDING)),
            Membership.source != MembershipSource.REST,
        )
        return [row for row in await self._store.read(lambda s: s.exec(query).all()) if self._is_due(row)]

    def _is_due(self, row: Membership) -> bool:
        """Whether a failed request is retried: the wait equals the time since it was opened."""
        if not row.error or row.expires_at is None:
            return True
        first = row.expires_at - self._settings.pending_days * DAY
        return self._clock() - row.updated_at >= max(FIRST_WAIT, row.updated_at - first)

    # ---- steps of a request ----

    def ask(self, session: Session, qun: Qun, contact_id: str, name: str, state: MemberState) -> None:
        """Record a request to join that a person made in WeChat."""
        until = self.waits_until() if state is MemberState.WAITING_FRIEND else None
        put_membership(
            session, qun, self._clock(), name=name, contact_id=contact_id,
            state=state, source=MembershipSource.MESSAGE, expires_at=until,
        )  # fmt: skip

    async def queue(self, qun: Qun, person: Contact) -> Membership:
        """Store that a person is to be added later; return an open request of theirs, from now on retried by itself."""

        def write(session: Session) -> Membership:
            row = membership_of(session, qun.number, person.id)
            if row is not None and self.is_pending(row):
                if row.source == MembershipSource.REST:  # until now its caller had to retry because of the rate limit
                    row.source = MembershipSource.ASYNC
                return row
            return put_membership(
                session, qun, self._clock(), name=person.name, contact_id=person.id,
                state=MemberState.REQUESTED, source=MembershipSource.ASYNC, expires_at=self.waits_until(),
            )  # fmt: skip

        return await self._store.write(write)

    async def wait_for_friend(
        self, qun: Qun, name: str, person: Contact | None, strangers: Iterable[Contact]
    ) -> Membership:
        """Store that a person is to be added once they are a friend.

        `person`: None if only the name is known; `strangers`: the non-friends of that name.
        """
        keys = [contact.id for contact in ([person] if person else strangers)] + [f"name:{name}"]

        def write(session: Session) -> Membership:
            for row in (membership_of(session, qun.number, key) for key in keys):
                if row is not None and self.is_pending(row, MemberState.WAITING_FRIEND):
                    return row
            return put_membership(
                session, qun, self._clock(), name=name, contact_id=person.id if person else None,
                state=MemberState.WAITING_FRIEND, expires_at=self.waits_until(),
            )  # fmt: skip

        return await self._store.write(write)

    async def became_friend(self, account: str, person: Contact, names: Iterable[str]) -> list[Membership]:
        """Assign pending requests to a new friend, by id or by one of `names`; return those to be executed."""
        keys = {f"name:{name}" for name in names}
        keys |= await self._store.read(lambda s: earlier_ids(s, account, person.id, person.weixin, person.name))
        return await self._store.write(lambda s: adopt_pending(s, account, person.id, keys, self._clock()))

    async def record_adding(
        self, qun: Qun, room: Room, person: Contact, source: str, until: float | None
    ) -> Membership:
        """Record that WeChat is about to be asked to add the person to the room; a request that is retried by itself
        stays one when a REST caller repeats it.
        """
        values = {"state": MemberState.ADDING, "room_id": room.id, "expires_at": until or self.waits_until()}

        def write(session: Session) -> Membership:
            row = membership_of(session, qun.number, person.id)
            is_kept = source == MembershipSource.REST and self.is_pending(row)
            kept = row.source if row is not None and is_kept else source
            return put_membership(
                session, qun, self._clock(), name=person.name, contact_id=person.id, source=kept, **values
            )

        return await self._store.write(write)

    async def record_inviting(self, membership_id: int) -> None:
        """Record that WeChat is about to invite the person."""

        def write(session: Session) -> None:
            row = session.get_one(Membership, membership_id)
            if row.state == MemberState.ADDING:
                move(session, row, self._clock(), MemberState.INVITED, "", self.waits_until())

        await self._store.write(write)

    async def record_invitation(self, qun: Qun, membership_id: int, *, by_owner: bool) -> None:
        """Record that WeChat asks the person, or with `by_owner` the group's owner, to confirm."""

        def write(session: Session) -> None:
            row = session.get_one(Membership, membership_id)
            if row.state not in OPEN_STATES:  # the join was observed since then, or the request was withdrawn
                return
            reason = MembershipReason.OWNER_MUST_CONFIRM if by_owner else ""
            move(session, row, self._clock(), MemberState.INVITED, reason, self.waits_until())
            self._notices.publish_membership(session, "member.invited", qun, row)

        await self._store.write(write)

    async def record_join(self, qun: Qun, room_id: str, contact_id: str) -> None:
        """Record that WeChat shows the person in the room."""
        await self._store.write(lambda s: self._recorder.record_joins(s, qun, room_id, contact_id))

    async def record_leave(self, qun: Qun, room_id: str, contact_id: str) -> None:
        """Record that WeChat no longer shows the person in the room."""
        await self._store.write(lambda s: self._recorder.record_leave(s, qun, room_id, contact_id))

    async def record_failure(self, qun: Qun, contact_id: str, error: Exception) -> None:
        """Record a failed attempt: a full group and the blacklist end the request, other failures are retried."""

        def write(session: Session) -> None:
            row = membership_of(session, qun.number, contact_id)
            if row is None or row.state not in OPEN_STATES:
                return
            if (reason := REFUSALS.get(type(error))) is not None:
                self._recorder.record_refusal(session, qun, row, reason)
                return
            until = row.expires_at or self.waits_until()
            error_text = "" if isinstance(error, AssistantOffline | WeChatOffline) else str(error)
            move(session, row, self._clock(), MemberState.REQUESTED, error_text, until)

        await self._store.write(write)

    async def withdraw(self, qun: Qun, membership_id: int) -> None:
        """End an open request; a joined person whom WeChat shows in no room is recorded as having left."""

        def write(session: Session) -> None:
            row = session.get_one(Membership, membership_id)
            if row.state in OPEN_STATES:
                self._recorder.record_refusal(session, qun, row, MembershipReason.WITHDRAWN)
            elif row.state == MemberState.JOINED and row.contact_id and not self._groups.room_of(qun, row.contact_id):
                self._recorder.record_leave(session, qun, row.room_id or "", row.contact_id)

        await self._store.write(write)

    def notify_outcome_soon(self, qun: Qun, contact_id: str, error: Exception | None) -> None:
        """Notify a person who asked to join themselves of the outcome."""
        self._store.write_in_background(lambda s: self._notices.notify_outcome(s, qun, contact_id, error))

    async def expire(self) -> int:
        """End expired requests and invitations; return their number."""

        def end(session: Session) -> int:
            query = select(Membership).where(
                col(Membership.state).in_(OPEN_STATES), col(Membership.expires_at) <= self._clock()
            )
            rows = session.exec(query).all()
            for row in rows:
                row.state, row.updated_at = MemberState.EXPIRED, self._clock()
                session.add(row)
            return len(rows)

        return await self._store.write(end)
