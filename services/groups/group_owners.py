"""Checks in WeChat whether a person owns a group, when the person uses an owner's rights."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from errors import WeChatError
from models.groups import Qun, QunState
from services.accounts.registry import Accounts
from services.groups.groups import Groups

log = logging.getLogger(__name__)
OWNER_MAX_AGE: Final = timedelta(seconds=2)  # how long an owner that was read is cached


class GroupOwners:
    """Reads the group again, because not every gateway reports that a group was transferred.

    If it cannot be read, the owner read last counts.
    """

    def __init__(self, accounts: Accounts, groups: Groups) -> None:
        self._accounts = accounts
        self._groups = groups

    async def owns(self, qun: Qun, room_id: str, contact_id: str) -> bool:
        """Whether the person owns this room of the group."""
        wechat = self._accounts.get(qun.account)
        read, _ = wechat.directory.last_reported(room_id, contact_id)
        if read is None or abs(datetime.now(UTC) - read) > OWNER_MAX_AGE:
            try:
                await wechat.room(room_id, fresh=True)
            except WeChatError as error:
                log.info("group %s: its owner could not be read: %s", qun.number, error)
        room = wechat.directory.rooms.get(room_id)
        return contact_id == (self._groups.owner_in(qun, room) if room is not None else qun.owner_id)

    async def owns_any(self, account: str, contact_id: str) -> bool:
        """Whether the person owns an active group of the account."""
        for qun in self._groups:
            if qun.account != account or qun.state != QunState.ACTIVE:
                continue
            rooms = self._groups.wechat_rooms(qun)
            if not rooms and contact_id == qun.owner_id:
                return True
            for room in rooms:
                if contact_id == self._groups.owner_in(qun, room) and await self.owns(qun, room.id, contact_id):
                    return True
        return False
