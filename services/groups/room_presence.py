"""Whether the assistant is in the rooms of its groups."""

from __future__ import annotations

from sqlmodel import Session, select

from models.groups import Qun, QunRoom, QunState
from services.groups.group_notices import GroupNotices
from services.groups.groups import Groups


class RoomPresence:
    """Marks rooms as lost and found inside a transaction, and notifies owners and business systems."""

    def __init__(self, groups: Groups, notices: GroupNotices) -> None:
        self._groups = groups
        self._notices = notices

    def mark_lost(self, session: Session, account: str, room_id: str) -> None:
        """Mark a room as lost, because the assistant is no longer in it. A group without rooms is lost. Idempotent."""
        room = self._row(session, account, room_id)
        if room is None or room.state != QunState.ACTIVE:
            return
        lost_room = self._groups.patch_room(session, room, state=QunState.LOST)
        qun = session.get_one(Qun, room.number)
        active_rooms = select(QunRoom).where(QunRoom.number == room.number, QunRoom.state == QunState.ACTIVE)
        if not session.exec(active_rooms).all():
            qun = self._groups.patch(session, room.number, state=QunState.LOST)
        self._notices.report_lost(session, qun, lost_room)

    def mark_found(self, session: Session, account: str, room_id: str) -> None:
        """Mark a lost room as active, because the assistant is in it again."""
        room = self._row(session, account, room_id)
        if room is None or room.state != QunState.LOST:
            return
        active_room = self._groups.patch_room(session, room, state=QunState.ACTIVE)
        self._notices.report_found(
            session, self._groups.patch(session, room.number, state=QunState.ACTIVE), active_room
        )

    def move(self, session: Session, room: QunRoom, room_id: str, owner_id: str) -> tuple[Qun, QunRoom]:
        """Change the WeChat id of a room, and its owner's id."""
        was_lost = room.state == QunState.LOST
        moved_room = self._groups.patch_room(session, room, room_id=room_id, state=QunState.ACTIVE)
        qun = self._groups.patch(session, room.number, owner_id=owner_id, state=QunState.ACTIVE)
        if was_lost:
            self._notices.report_found(session, qun, moved_room)
        return qun, moved_room

    def _row(self, session: Session, account: str, room_id: str) -> QunRoom | None:
        query = select(QunRoom).where(QunRoom.account == account, QunRoom.room_id == room_id)
        return session.exec(query).first()
