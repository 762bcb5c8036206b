"""Creates a room in WeChat exactly once, even if the response is lost.

The row records what was done: asked_at (the call was made), room_id (the response was seen). After a crash or timeout,
the unfinished room is searched for first: a room of these three people with this topic, or without one on gateways that
set topics late. Rooms that looked like it before the call, or that somebody else owns, are excluded, because anyone can
create a room with the expected topic beforehand.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence

from config.settings import GroupSettings, PacingSettings
from errors import (
    AssistantOffline,
    GroupNotMade,
    TooManyRequests,
    WeChatError,
    WeChatOffline,
    WeChatTooFast,
    WeChatUnknown,
)
from models.db import Store
from models.durable import Outcome
from models.groups import Qun, QunRoom
from services.accounts.audit import Audit
from services.accounts.registry import RETRY_AFTER, Accounts
from services.clock import Clock
from services.groups.groups import Groups
from wechat.entities import Room
from wechat.interface import Capability, WeChat
from wechat.names import same_name

log = logging.getLogger(__name__)
SHOWN_TIMEOUT = 5.0  # seconds within which WeChat must show the members of a new room


class RoomCreator:
    """Creates rooms, one at a time per account."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        audit: Audit,
        settings: GroupSettings,
        pacing: PacingSettings,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._audit = audit
        self._settings = settings
        self._pacing = pacing
        self._clock = clock
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def companion(self, wechat: WeChat, owner_id: str) -> str:
        """Return the id of the third person a room needs; raise GroupNotMade if no configured companion is a friend."""
        if Capability.JOIN_BY_CODE in wechat.capabilities:  # not needed: staff have created the room
            return ""
        for name in self._settings.companions:
            friends = [c for c in wechat.directory.find(name, friends=True) if c.id not in (owner_id, wechat.self_id)]
            if len(friends) == 1:
                return friends[0].id
        raise GroupNotMade(f"none of the companions {', '.join(self._settings.companions)} matches exactly one friend")

    async def _current_companion(self, wechat: WeChat, qun: Qun) -> str:
        """Return the companion for the next room: the first room's may no longer be a friend."""
        try:
            companion = self.companion(wechat, qun.owner_id)
        except GroupNotMade:
            return qun.companion_id
        if companion != qun.companion_id:
            await self._groups.change(qun.number, companion_id=companion)
        return companion

    async def create(self, qun: Qun, room: QunRoom, actor: str) -> QunRoom:
        """Create the room with its owner and topic; raise GroupNotMade, TooManyRequests or AssistantOffline."""
        async with self._turns[qun.account]:
            wechat = self._accounts.online(qun.account)
            people = [qun.owner_id, qun.companion_id]
            try:
                if Capability.JOIN_BY_CODE in wechat.capabilities:
                    return await self._take_from_pool(wechat, qun, room, actor)
                if not room.room_id:
                    room_id = await self._find(wechat, room, people) if room.asked_at else None
                    if room_id is None:
                        people = [qun.owner_id, await self._current_companion(wechat, qun)]
                        room_id = await self._ask(wechat, qun, room, people, actor)
                    room = await self._patch(room, room_id=room_id)
                await self._verify(wechat, room, qun.owner_id)
            except WeChatOffline as error:
                raise AssistantOffline(str(error), retry_after=RETRY_AFTER) from error
            except WeChatTooFast as error:
                self._accounts.handle_rate_limit(qun.account, error)
                raise TooManyRequests(str(error), retry_after=60) from error
            except WeChatError as error:
                raise GroupNotMade(str(error)) from error
            return room

    async def _take_from_pool(self, wechat: WeChat, qun: Qun, room: QunRoom, actor: str) -> QunRoom:
        """Take an unused group of the owner's that staff have made, and create the code by which people join it."""
        if not room.room_id:
            await wechat.read_new_rooms()
            unused = [
                room
                for room in wechat.directory.rooms.values()
                if room.owner_id == qun.owner_id
                and not room.join_state
                and self._groups.by_room(qun.account, room.id) is None
            ]
            if not unused:
                raise GroupNotMade(f"no unused group of {qun.owner_id} in the pool")
            chosen = min(unused, key=lambda room: (len(room.member_ids), room.id))
            topic = chosen.topic or room.topic
            room = await self._patch(room, room_id=chosen.id, topic=topic)
            await self._groups.change(qun.number, topic=topic)
            action = await self._audit.begin(qun.account, "group", actor, str(qun.number), topic=topic)
            await self._audit.end(action, Outcome.DONE, chosen.id)
        await wechat.create_join_code(room.room_id or "", str(qun.number), opens_next=self._settings.overflow)
        return room

    async def _ask(self, wechat: WeChat, qun: Qun, room: QunRoom, people: Sequence[str], actor: str) -> str:
        rate_limiter = self._accounts.rate_limiter(qun.account)
        wait = rate_limiter.group_delay()
        if wait > self._pacing.request_seconds:
            raise TooManyRequests(f"{qun.account} has reached its rate limit for new groups", retry_after=wait)
        await asyncio.sleep(wait)
        rate_limiter.spend_group()
        before = room.asked_at
        if not before:
            await wechat.read_new_rooms()
            candidate_ids = [candidate.id for candidate in self._candidates(wechat, room.topic, people)]
            room = await self._patch(room, seen_before=candidate_ids)
        room = await self._patch(room, asked_at=self._clock())
        action = await self._audit.begin(qun.account, "group", actor, str(qun.number), topic=room.topic)
        try:
            room_id = await wechat.create_room(people, room.topic)
        except WeChatUnknown as error:
            found_id = await self._find(wechat, room, people)
            await self._audit.end(action, Outcome.DONE if found_id else Outcome.UNKNOWN, found_id or str(error))
            if found_id is None:
                raise
            return found_id
        except WeChatError as error:
            await self._audit.end(action, Outcome.FAILED, str(error))
            if isinstance(error, WeChatTooFast | WeChatOffline):  # certainly nothing was created
                await self._patch(room, asked_at=before)
            raise
        await self._audit.end(action, Outcome.DONE, room_id)
        return room_id

    async def _find(self, wechat: WeChat, room: QunRoom, people: Sequence[str]) -> str | None:
        """Return the id of the unfinished room, if WeChat shows it."""
        await wechat.read_new_rooms()
        candidates = self._candidates(wechat, room.topic, people)
        room_id = next((candidate.id for candidate in candidates if candidate.id not in room.seen_before), None)
        if room_id is not None:
            log.info("%s: adopting the partly created room %s", wechat.account, room_id)
        return room_id

    def _candidates(self, wechat: WeChat, topic: str, people: Sequence[str]) -> list[Room]:
        """Return the rooms that may be the unfinished one, those with the topic first."""
        member_ids = {wechat.self_id, *people}
        matching = [
            room
            for room in wechat.directory.rooms.values()
            if self._groups.by_room(wechat.account, room.id) is None
            and room.owner_id in ("", wechat.self_id)  # some gateways do not return the owner
            and room.member_ids | {wechat.self_id} == member_ids
        ]
        return [room for room in matching if room.topic and same_name(room.topic, topic)] + [
            room for room in matching if not room.topic
        ]

    async def _verify(self, wechat: WeChat, room: QunRoom, owner_id: str) -> None:
        room_id = room.room_id or ""
        wechat_room = await _wait_for_owner(wechat, room_id, owner_id)
        if wechat_room is None:
            raise GroupNotMade(f"room {room_id} does not show its owner")
        if not wechat_room.topic or not same_name(wechat_room.topic, room.topic):
            await wechat.set_topic(room_id, room.topic)

    async def _patch(self, room: QunRoom, **changes: object) -> QunRoom:
        return await self._store.write(lambda s: self._groups.patch_room(s, room, **changes))


async def _wait_for_owner(wechat: WeChat, room_id: str, owner_id: str) -> Room | None:
    """Wait until WeChat shows the owner in the room; members of a new room may appear late."""
    deadline = asyncio.get_running_loop().time() + SHOWN_TIMEOUT
    while True:
        room = await wechat.room(room_id, fresh=True)
        if owner_id in room.member_ids:
            return room
        if asyncio.get_running_loop().time() > deadline:
            return None
        await asyncio.sleep(0.2)
