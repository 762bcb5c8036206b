"""Reads the member lists of groups again where the cached ones may be outdated."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Final

from errors import InviteFailed, WeChatError, WeChatOffline
from models.groups import Qun
from services.accounts.registry import Accounts
from services.groups.groups import Groups
from wechat.entities import Room
from wechat.interface import WeChat

LIST_MAX_AGE: Final = timedelta(seconds=2)  # how long a list that was read is cached
REREAD_DELAY: Final = 1.0  # seconds until a list that lacks a member is read again: the first one may be incomplete
EVENT_MAX_AGE: Final = timedelta(
    seconds=10
)  # within which an event takes precedence over WeChat's lists, which may be behind


class RosterRefresh:
    """Refreshes member lists."""

    def __init__(self, accounts: Accounts, groups: Groups) -> None:
        self._accounts = accounts
        self._groups = groups
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def read_unread_rooms(self, qun: Qun) -> None:
        """Read those rooms of the group that have not been read since the start; raise InviteFailed."""
        wechat = self._accounts.get(qun.account)
        for room in self._groups.wechat_rooms(qun):
            if not wechat.directory.was_read(room.id):
                async with self._locks[qun.number]:
                    if not wechat.directory.was_read(room.id):
                        await _read(wechat, room.id)

    async def room_of(self, qun: Qun, contact_id: str, expected_in: str | None = None) -> Room | None:
        """Return the room of the group that the person is in, according to a recent event or to the list read now.

        Nothing is read if no room of theirs is known, unless they are expected in one.
        """
        wechat = self._accounts.get(qun.account)
        async with self._locks[qun.number]:
            known_room = self._groups.room_of(qun, contact_id)
            room = known_room or next((room for room in self._groups.wechat_rooms(qun) if room.id == expected_in), None)
            if room is None:
                return None
            read_at, moved_at = wechat.directory.last_reported(room.id, contact_id)
            if _is_recent(read_at, LIST_MAX_AGE) or _is_recent(moved_at, EVENT_MAX_AGE):
                return known_room
            wechat_room = await _read(wechat, room.id)
            if contact_id not in wechat_room.member_ids and self._groups.room_of(qun, contact_id) is not None:
                await asyncio.sleep(REREAD_DELAY)
                if contact_id not in (await _read(wechat, room.id)).member_ids:
                    wechat.directory.remove_members(room.id, (contact_id,), datetime.now(UTC))
            return self._groups.room_of(qun, contact_id)


def _is_recent(at: datetime | None, span: timedelta) -> bool:
    """Whether a time is recent. The absolute difference is used because a gateway's clock may be wrong either way."""
    return at is not None and abs(datetime.now(UTC) - at) < span


async def _read(wechat: WeChat, room_id: str) -> Room:
    try:
        return await wechat.room(room_id, fresh=True)
    except WeChatOffline:
        raise
    except WeChatError as error:
        raise InviteFailed(f"room {room_id} cannot be read: {error}") from error
