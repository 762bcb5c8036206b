"""Groups of every account, from the database: in memory are only those of the accounts that this process serves."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from errors import InvalidParameter, NotFound
from models.groups import Qun, QunRoom, QunState
from models.schema import MAX_ID


def every_group(session: Session) -> Sequence[Qun]:
    """Return all groups."""
    return session.exec(select(Qun)).all()


def named_group(session: Session, name: str | int) -> Qun:
    """Return the group of this number or code; raise NotFound, or InvalidParameter if it is ambiguous."""
    number = name if isinstance(name, int) else int(name) if name.isascii() and name.isdigit() else 0
    by_number = session.get(Qun, number) if 0 < number <= MAX_ID else None
    by_code = session.exec(select(Qun).where(Qun.code == name)).first() if isinstance(name, str) else None
    if by_code and by_number and by_code.number != by_number.number:
        raise InvalidParameter("quns: the code of one group is the number of another")
    matching = by_code or by_number
    if matching is None:
        raise NotFound(f"group {name}")
    return matching


def active_rooms(session: Session, qun: Qun) -> list[str]:
    """Return the ids of a group's rooms that exist in WeChat, the first one first."""
    query = select(QunRoom.room_id).where(QunRoom.number == qun.number, QunRoom.state == QunState.ACTIVE)
    return [room_id for room_id in session.exec(query.order_by(col(QunRoom.ordinal))).all() if room_id]
