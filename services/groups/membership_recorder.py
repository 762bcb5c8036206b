"""Records joins and leaves: membership row, daily numbers, welcome message, webhook events."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlmodel import Session

from models.groups import MemberRecord, Membership, MembershipSource, MemberState, Qun, QunRoom
from services.accounts.registry import Accounts
from services.clock import Clock
from services.groups.daily_stats import DailyStats
from services.groups.group_notices import GroupNotices
from services.groups.groups import Groups
from services.groups.membership_rows import membership_of, put_membership, reassign_request
from services.groups.removal_queue import RemovalQueue
from wechat.interface import Capability

MAX_SINGLE_WELCOMES: Final = 5  # if more people than this join at once, one message welcomes them all


class MembershipRecorder:
    """Records joins and leaves of any origin, each once however often it is observed."""

    def __init__(
        self,
        accounts: Accounts,
        groups: Groups,
        notices: GroupNotices,
        daily_stats: DailyStats,
        removals: RemovalQueue,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._groups = groups
        self._notices = notices
        self._daily_stats = daily_stats
        self._removals = removals
        self._clock = clock
        self._being_removed: set[tuple[int, str]] = set()  # people whom the assistant is removing now

    def record_joins(self, session: Session, qun: Qun, room_id: str, *contact_ids: str) -> list[str]:
        """Record that people are in the room and welcome the new ones; return the new ones."""
        new = [contact_id for contact_id in contact_ids if self._record_join(session, qun, room_id, contact_id)]
        welcome = [contact_id for contact_id in new if not self._is_unwanted(session, qun, contact_id)]
        batches = [welcome] if len(welcome) > MAX_SINGLE_WELCOMES else [[contact_id] for contact_id in welcome]
        for people in batches:
            self._notices.welcome(session, qun, room_id, people)
        return new

    def _record_join(self, session: Session, qun: Qun, room_id: str, contact_id: str) -> bool:
        row = membership_of(session, qun.number, contact_id)
        if row is not None and row.state == MemberState.JOINED:
            if row.room_id != room_id:
                row.room_id = room_id
                session.add(row)
            return False
        wechat = self._accounts.get(qun.account)
        contact = wechat.directory.contacts.get(contact_id)
        by_code = Capability.JOIN_BY_CODE in wechat.capabilities  # of people who were invited only the name is known
        names = (contact.weixin, contact.name if by_code else "") if contact else ()
        reassign_request(session, qun.number, contact_id, *names)
        name = contact.name if contact else ""
        row = put_membership(
            session, qun, self._clock(), name=name, contact_id=contact_id, room_id=room_id, state=MemberState.JOINED
        )
        self._daily_stats.count(session, qun.number, joins=1)
        self._notices.publish_membership(session, "member.joined", qun, row)
        return True

    def _is_unwanted(self, session: Session, qun: Qun, contact_id: str) -> bool:
        """Whether the person is blacklisted; if so, schedule their removal."""
        record = session.get(MemberRecord, (qun.number, contact_id))
        if record is None or not record.blacklisted:
            return False
        self._removals.add_returned(session, qun, contact_id)
        return True

    def record_room(self, session: Session, qun: Qun, room: QunRoom) -> None:
        """Record a new room with its initial members."""
        self.record_members(session, qun, room)
        if room.ordinal == 1:
            self._notices.publish_created(session, qun)

    def record_members(self, session: Session, qun: Qun, room: QunRoom) -> None:
        """Record the members of a room, without welcoming them."""
        wechat_room = self._accounts.get(qun.account).directory.rooms.get(room.room_id or "")
        for contact_id in (wechat_room.member_ids if wechat_room else set()) - {
            self._accounts.get(qun.account).self_id
        }:
            if membership_of(session, qun.number, contact_id) is None:
                name = self._name(qun, contact_id)
                put_membership(
                    session, qun, self._clock(), name=name, contact_id=contact_id, room_id=room.room_id,
                    state=MemberState.JOINED, source=MembershipSource.EVENT,
                )  # fmt: skip

    def record_leave(
        self,
        session: Session,
        qun: Qun,
        room_id: str,
        contact_id: str,
        *,
        removed: bool = False,
        reported_at: float = math.inf,
    ) -> bool:
        """Record that a person left the room; return False if there is nothing to record.

        That is: it is known, they are in another room of the group, or the leave (at `reported_at`) is older than their
        current request to join.
        """
        row = membership_of(session, qun.number, contact_id)
        if row is not None and row.state in (MemberState.LEFT, MemberState.REMOVED):
            return False
        if row is not None and row.state != MemberState.JOINED and reported_at < row.updated_at:
            return False
        other_room = self._groups.room_of(qun, contact_id)
        if row is not None and row.state == MemberState.JOINED and other_room is not None and other_room.id != room_id:
            row.room_id = other_room.id
            session.add(row)
            return False
        removed = removed or (qun.number, contact_id) in self._being_removed
        row = put_membership(
            session, qun, self._clock(), name=row.name if row else self._name(qun, contact_id), contact_id=contact_id,
            state=MemberState.REMOVED if removed else MemberState.LEFT,
        )  # fmt: skip
        self._daily_stats.count(session, qun.number, leaves=1)
        kind = "member.removed" if removed else "member.left"
        self._notices.publish_membership(session, kind, qun, row)
        return True

    @contextmanager
    def removing(self, qun: Qun, contact_id: str) -> Iterator[None]:
        """Context in which leaves of this person are recorded as removals."""
        key = (qun.number, contact_id)
        self._being_removed.add(key)
        try:
            yield
        finally:
            self._being_removed.discard(key)

    def record_refusal(self, session: Session, qun: Qun, row: Membership, reason: str) -> None:
        """End a request to join as refused."""
        row.sqlmodel_update(
            {"state": MemberState.REFUSED, "error": reason, "expires_at": None, "updated_at": self._clock()}
        )
        session.add(row)
        self._notices.publish_membership(session, "member.refused", qun, row, reason=reason)

    def _name(self, qun: Qun, contact_id: str) -> str:
        contact = self._accounts.get(qun.account).directory.contacts.get(contact_id)
        return contact.name if contact else ""
