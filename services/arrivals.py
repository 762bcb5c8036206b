"""What follows when a person comes into a group or goes: the row, the count, the one welcome, the notice."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from errors import GroupFull, MemberBlacklisted
from models.db import Store
from models.durable import Priority
from models.groups import DailyCount, Membership, MemberState, Qun, QunRoom, Standing
from services.accounts import Accounts
from services.groups import Groups
from services.lane import Clock
from services.messages import Messages, text
from services.notices import Notices
from services.rows import membership_of, put_membership
from settings import Groups as GroupSettings
from texts import Texts, fill


class Arrivals:
    """Joins and leaves, whoever caused them; each is told once, however often it is seen."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        messages: Messages,
        notices: Notices,
        settings: GroupSettings,
        texts: Texts,
        zone: ZoneInfo,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._messages = messages
        self._notices = notices
        self._settings = settings
        self._texts = texts
        self._zone = zone
        self._clock = clock

    def joined(self, session: Session, qun: Qun, room_id: str, contact_id: str) -> bool:
        """A person is in the room. Welcomes them unless that was done; False when they were known to be in."""
        row = membership_of(session, qun.number, contact_id)
        if row is not None and row.state == MemberState.JOINED:
            if row.room_id != room_id:
                row.room_id = room_id
                session.add(row)
            return False
        name = self._name(qun, contact_id)
        row = put_membership(
            session, qun, self._clock(), name=name, contact_id=contact_id, room_id=room_id, state=MemberState.JOINED
        )
        self.count(session, qun, joins=1)
        self._notices.tell(session, "member.joined", str(qun.number), self._data(qun, row))
        standing = session.get(Standing, (qun.number, contact_id))
        if standing is None or not standing.blacklisted:
            self._welcome(session, qun, room_id, row)
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
            data = {"number": qun.number, "code": qun.code, "topic": qun.topic, "url": self._groups.url(qun)}
            self._notices.tell(session, "qun.created", str(qun.number), data)

    def left(self, session: Session, qun: Qun, contact_id: str, *, removed: bool = False) -> bool:
        """A person is no longer in the group; False when that was known."""
        row = membership_of(session, qun.number, contact_id)
        if row is not None and row.state in (MemberState.LEFT, MemberState.REMOVED):
            return False
        row = put_membership(
            session, qun, self._clock(), name=row.name if row else self._name(qun, contact_id), contact_id=contact_id,
            state=MemberState.REMOVED if removed else MemberState.LEFT,
        )  # fmt: skip
        self.count(session, qun, leaves=1)
        kind = "member.removed" if removed else "member.left"
        self._notices.tell(session, kind, str(qun.number), self._data(qun, row))
        return True

    def count(self, session: Session, qun: Qun, *, joins: int = 0, leaves: int = 0, messages: int = 0) -> None:
        """Add to the group's numbers of today."""
        make = sqlite.insert if self._store.is_sqlite else postgresql.insert
        day = datetime.fromtimestamp(self._clock(), self._zone).date().isoformat()
        more = {"joins": joins, "leaves": leaves, "messages": messages}
        insert = make(DailyCount).values(number=qun.number, day=day, **more)
        table = DailyCount.__table__.c  # type: ignore[attr-defined]
        update = {name: table[name] + number for name, number in more.items()}
        session.connection().execute(insert.on_conflict_do_update(index_elements=["number", "day"], set_=update))

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

    def _welcome(self, session: Session, qun: Qun, room_id: str, row: Membership) -> None:
        welcome = qun.welcome if qun.welcome is not None else self._settings.welcome
        if not welcome:
            return
        words = fill(welcome, member=row.name, topic=self._topic(qun, room_id))
        body = text(words, [row.contact_id or ""])
        self._messages.say(session, qun.account, room_id, body, priority=Priority.NOTICE)

    def _topic(self, qun: Qun, room_id: str) -> str:
        room = self._accounts.get(qun.account).directory.rooms.get(room_id)
        return room.topic if room and room.topic else qun.topic

    def _name(self, qun: Qun, contact_id: str) -> str:
        contact = self._accounts.get(qun.account).directory.contacts.get(contact_id)
        return contact.name if contact else ""

    def _data(self, qun: Qun, row: Membership) -> dict[str, object]:
        return {
            "number": qun.number,
            "code": qun.code,
            "membership": row.id,
            "member": row.name,
            "contact_id": row.contact_id,
        }
