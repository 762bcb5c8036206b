"""What follows when a person comes into a group or goes: the row, the count, the one welcome, the notice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlmodel import Session

from config.settings import GroupSettings
from config.texts import Texts, fill
from errors import GroupFull, MemberBlacklisted
from models.durable import Priority
from models.groups import MemberRecord, Membership, MemberState, Qun, QunRoom
from services.accounts.registry import Accounts
from services.clock import Clock
from services.groups.daily_stats import DailyStats
from services.groups.groups import Groups
from services.groups.membership_rows import make_theirs, membership_of, put_membership
from services.messaging.messages import AT_SIGN_END, Messages, text
from services.messaging.webhook_events import WebhookEvents

SINGLY: Final = 5  # more people than this, found in a group at once, are welcomed together


class MembershipRecorder:
    """Joins and leaves, whoever caused them; each is told once, however often it is seen."""

    def __init__(
        self,
        accounts: Accounts,
        groups: Groups,
        messages: Messages,
        webhook_events: WebhookEvents,
        daily_stats: DailyStats,
        settings: GroupSettings,
        texts: Texts,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._groups = groups
        self._messages = messages
        self._webhook_events = webhook_events
        self._settings = settings
        self._texts = texts
        self._daily_stats = daily_stats
        self._clock = clock
        self._taken_out: set[tuple[int, str]] = set()  # who is being taken out now
        self.on_unwanted: Callable[[Session, Qun, str], None] = lambda _session, _qun, _contact_id: None

    def joined(self, session: Session, qun: Qun, room_id: str, *contact_ids: str) -> list[str]:
        """These people are in the room. Welcomes each of them once; returns those who were not known to be in."""
        new = [contact_id for contact_id in contact_ids if self._came(session, qun, room_id, contact_id)]
        welcome = [contact_id for contact_id in new if not self._is_unwanted(session, qun, contact_id)]
        together = [welcome] if len(welcome) > SINGLY else [[contact_id] for contact_id in welcome]
        for people in together:
            self._welcome(session, qun, room_id, people)
        return new

    def _came(self, session: Session, qun: Qun, room_id: str, contact_id: str) -> bool:
        row = membership_of(session, qun.number, contact_id)
        if row is not None and row.state == MemberState.JOINED:
            if row.room_id != room_id:
                row.room_id = room_id
                session.add(row)
            return False
        contact = self._accounts.get(qun.account).directory.contacts.get(contact_id)
        make_theirs(session, qun.number, contact_id, contact.weixin if contact else "")
        name = contact.name if contact else ""
        row = put_membership(
            session, qun, self._clock(), name=name, contact_id=contact_id, room_id=room_id, state=MemberState.JOINED
        )
        self._daily_stats.count(session, qun.number, joins=1)
        self._webhook_events.tell(session, "member.joined", str(qun.number), self.data(qun, row))
        return True

    def _is_unwanted(self, session: Session, qun: Qun, contact_id: str) -> bool:
        """Whether the person is blacklisted; then they are taken out again."""
        standing = session.get(MemberRecord, (qun.number, contact_id))
        if standing is None or not standing.blacklisted:
            return False
        self.on_unwanted(session, qun, contact_id)
        return True

    def made(self, session: Session, qun: Qun, room: QunRoom) -> None:
        """A room of the group was made: whoever it was made with is a member, and is not welcomed."""
        live = self._accounts.get(qun.account).directory.rooms.get(room.room_id or "")
        for contact_id in (live.member_ids if live else set()) - {self._accounts.get(qun.account).self_id}:
            if membership_of(session, qun.number, contact_id) is None:
                name = self._name(qun, contact_id)
                put_membership(
                    session, qun, self._clock(), name=name, contact_id=contact_id, room_id=room.room_id,
                    state=MemberState.JOINED, source="event",
                )  # fmt: skip
        if room.ordinal == 1:
            data = {"topic": qun.topic, "owner": qun.owner, "url": self._groups.url(qun)}
            self._webhook_events.tell(session, "qun.created", str(qun.number), {**_of(qun), **data})

    def lost(self, session: Session, qun: Qun, room: QunRoom) -> None:
        """The assistant is in a room no more: its owner and business systems are told."""
        words = fill(self._texts.group_lost, topic=room.topic, number=qun.number)
        self._messages.say(session, qun.account, qun.owner_id, words, priority=Priority.NOTICE)
        self._webhook_events.tell(session, "qun.lost", str(qun.number), self._about(qun, room))

    def found(self, session: Session, qun: Qun, room: QunRoom) -> None:
        """The assistant is in a lost room again."""
        words = fill(self._texts.group_found, topic=room.topic, number=qun.number)
        self._messages.say(session, qun.account, qun.owner_id, words, priority=Priority.NOTICE)
        self._webhook_events.tell(session, "qun.found", str(qun.number), self._about(qun, room))

    def _about(self, qun: Qun, room: QunRoom) -> dict[str, object]:
        return {**_of(qun), "topic": room.topic, "state": qun.state}

    def left(
        self,
        session: Session,
        qun: Qun,
        room_id: str,
        contact_id: str,
        *,
        removed: bool = False,
        told_of: float = math.inf,
    ) -> bool:
        """A person is no longer in the room; False when that was known, they are in another room of the group, or it
        is told of a time (`told_of`) since which they are on their way in again."""
        row = membership_of(session, qun.number, contact_id)
        if row is not None and row.state in (MemberState.LEFT, MemberState.REMOVED):
            return False
        if row is not None and row.state != MemberState.JOINED and told_of < row.updated_at:
            return False
        elsewhere = self._groups.room_of(qun, contact_id)
        if row is not None and row.state == MemberState.JOINED and elsewhere is not None and elsewhere.id != room_id:
            row.room_id = elsewhere.id
            session.add(row)
            return False
        removed = removed or (qun.number, contact_id) in self._taken_out
        row = put_membership(
            session, qun, self._clock(), name=row.name if row else self._name(qun, contact_id), contact_id=contact_id,
            state=MemberState.REMOVED if removed else MemberState.LEFT,
        )  # fmt: skip
        self._daily_stats.count(session, qun.number, leaves=1)
        kind = "member.removed" if removed else "member.left"
        self._webhook_events.tell(session, kind, str(qun.number), self.data(qun, row))
        return True

    @contextmanager
    def taking_out(self, qun: Qun, contact_id: str) -> Iterator[None]:
        """While the assistant takes a person out: whoever sees first that they are gone notes them as removed."""
        key = (qun.number, contact_id)
        self._taken_out.add(key)
        try:
            yield
        finally:
            self._taken_out.discard(key)

    def tell_outcome(self, session: Session, qun: Qun, contact_id: str, error: Exception | None) -> None:
        """Tell a person who asked for it themselves how their way into the group stands."""
        row = membership_of(session, qun.number, contact_id)
        if isinstance(error, GroupFull):
            words = fill(self._texts.group_full, topic=qun.topic)
        elif isinstance(error, MemberBlacklisted):
            words = fill(self._texts.blacklisted, topic=qun.topic)
        elif error is not None:
            words = fill(self._texts.join_failed, topic=qun.topic)
        elif row is not None and row.error == "owner":
            words = fill(self._texts.waiting_owner, topic=qun.topic)
        else:
            words = fill(self._texts.invited, topic=qun.topic, days=round(self._settings.pending_days))
        self._messages.say(session, qun.account, contact_id, words)

    def refused(self, session: Session, qun: Qun, row: Membership, why: str) -> None:
        """A way into the group ends here: nothing more will be tried for it."""
        row.sqlmodel_update(
            {"state": MemberState.REFUSED, "error": why, "expires_at": None, "updated_at": self._clock()}
        )
        session.add(row)
        self._webhook_events.tell(session, "member.refused", str(qun.number), {**self.data(qun, row), "reason": why})

    def _welcome(self, session: Session, qun: Qun, room_id: str, contact_ids: Sequence[str]) -> None:
        welcome = qun.welcome if qun.welcome is not None else self._settings.welcome
        if not welcome:
            return
        named = [f"@{name}{AT_SIGN_END}" for contact_id in contact_ids if (name := self._name(qun, contact_id))]
        member = "".join(named) or self._texts.newcomer
        words = fill(welcome, member=member, topic=self._topic(qun, room_id)).replace(f"{AT_SIGN_END} ", AT_SIGN_END)
        body = text(words, contact_ids)
        self._messages.say(session, qun.account, room_id, body, priority=Priority.NOTICE)

    def _topic(self, qun: Qun, room_id: str) -> str:
        room = self._accounts.get(qun.account).directory.rooms.get(room_id)
        return room.topic if room and room.topic else qun.topic

    def _name(self, qun: Qun, contact_id: str) -> str:
        contact = self._accounts.get(qun.account).directory.contacts.get(contact_id)
        return contact.name if contact else ""

    def data(self, qun: Qun, row: Membership) -> dict[str, object]:
        """What business systems are told of a membership."""
        return {
            **_of(qun),
            "membership": row.id,
            "member": row.name,
            "contact_id": row.contact_id,
        }


def _of(qun: Qun) -> dict[str, object]:
    """Which group business systems are told of."""
    return {"assistant": qun.account, "number": qun.number, "code": qun.code}
