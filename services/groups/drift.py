"""Compares groups in WeChat with the database: topic and announcement."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlmodel import Session, col, select

from errors import WeChatError, WeChatOffline
from models.db import Store
from models.durable import Action, Outcome
from models.groups import Qun, QunRoom, QunState
from services.accounts.registry import Accounts
from services.clock import Clock
from services.groups.groups import Groups
from services.groups.reconciliation import Reconciler
from wechat.interface import Capability
from wechat.names import same_name

log = logging.getLogger(__name__)
RUNNING_SECONDS: Final = 60.0  # a change that began earlier is stored by now, or was interrupted


class DriftKind(StrEnum):
    """What differs; the values are kinds of the audit log."""

    TOPIC = "topic"
    ANNOUNCEMENT = "announce"


@dataclass(frozen=True, slots=True)
class Drift:
    """A deviation of a room."""

    qun: Qun
    room: QunRoom
    kind: DriftKind
    expected: str
    shown: str  # what WeChat shows instead


class DriftFinder:
    """Finds the deviations of a room."""

    def __init__(self, store: Store, accounts: Accounts, groups: Groups, reconcile: Reconciler, clock: Clock) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._reconcile = reconcile
        self._clock = clock

    async def find(self, qun: Qun, room: QunRoom) -> list[Drift]:
        """Return the deviations; none if the room cannot be read."""
        room_id, wechat = room.room_id or "", self._accounts.get(qun.account)
        if room.state == QunState.LOST and room_id not in wechat.directory.rooms:
            return []
        try:
            wechat_room = await self._reconcile.room(qun.account, room_id)
            if wechat_room is None or Capability.SET_TOPIC not in wechat.capabilities:
                return []
            qun, room = self._current(qun, room)
            announcement = await wechat.announcement(room_id) if qun.announcement is not None else None
            qun, room = self._current(qun, room)
        except WeChatOffline:
            return []
        except WeChatError as error:
            log.warning("could not check room %s: %s", room_id, error)
            return []
        deviations = []
        if not same_name(wechat_room.topic, room.topic):
            deviations.append(Drift(qun, room, DriftKind.TOPIC, room.topic, wechat_room.topic))
        # An empty announcement may exist but be unreadable; setting it again would notify everyone again.
        if (
            announcement is not None
            and qun.announcement is not None
            and not same_name(announcement, qun.announcement)
            and (announcement or not await self._store.read(lambda s: self._was_unreadable(s, room_id)))
        ):
            deviations.append(Drift(qun, room, DriftKind.ANNOUNCEMENT, qun.announcement, announcement))
        changing = await self._store.read(lambda s: self._running_changes(s, room_id)) if deviations else frozenset()
        return [drift for drift in deviations if drift.kind not in changing]

    def _current(self, qun: Qun, room: QunRoom) -> tuple[Qun, QunRoom]:
        """Return the current rows: a command may have changed them while WeChat was asked."""
        current_room = next(
            (known_room for known_room in self._groups.all_rooms(qun) if known_room.id == room.id), room
        )
        return self._groups.by_number(qun.number) or qun, current_room

    def _running_changes(self, session: Session, room_id: str) -> frozenset[str]:
        """Return the kinds of running changes of a room, which WeChat may show before the database does."""
        is_running = (
            Action.target == room_id,
            Action.outcome == Outcome.TRIED,
            col(Action.at) > self._clock() - RUNNING_SECONDS,
        )
        return frozenset(session.exec(select(Action.kind).where(*is_running)).all())

    def _was_unreadable(self, session: Session, room_id: str) -> bool:
        """Whether the last announcement that was set could not be read back."""
        last = select(Action.outcome).where(
            Action.target == room_id, Action.kind == DriftKind.ANNOUNCEMENT, Action.outcome != Outcome.TRIED
        )
        return session.exec(last.order_by(col(Action.id).desc())).first() == Outcome.UNCONFIRMED
