"""Adds a person to a room and verifies the result in WeChat.

A call without an error proves nothing; only the join event or the member list does.
"""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum

from config.settings import GroupSettings, PacingSettings
from errors import (
    AssistantOffline,
    GroupFull,
    InviteFailed,
    TooManyRequests,
    WeChatError,
    WeChatNeedsConfirmation,
    WeChatOffline,
    WeChatTooFast,
    WeChatUnknown,
)
from models.durable import Outcome
from models.groups import Membership, MembershipReason, Qun
from services.accounts.audit import Audit
from services.accounts.registry import RETRY_AFTER, Accounts
from services.groups.membership_states import MembershipStates
from wechat.entities import Room
from wechat.interface import WeChat

log = logging.getLogger(__name__)
DIRECT_JOIN_SECONDS = 2.0  # seconds to wait for one in a large room, where WeChat normally sends an invitation
OWNER_WORDS = ("群主", "-2028")
FULL_WORDS = ("已满", "人数已达上限")


class AddResult(StrEnum):
    """What WeChat showed after an add."""

    JOINED = "joined"
    INVITED = "invited"  # the person must accept an invitation
    OWNER_ASKED = "owner_asked"  # the group's owner must confirm


class MemberAdder:
    """Adds people within the account's rate limit."""

    def __init__(
        self,
        accounts: Accounts,
        audit: Audit,
        states: MembershipStates,
        settings: GroupSettings,
        pacing: PacingSettings,
    ) -> None:
        self._accounts = accounts
        self._audit = audit
        self._states = states
        self._settings = settings
        self._pacing = pacing

    @property
    def confirm_seconds(self) -> float:
        """The seconds within which an added person must appear in the group."""
        return self._settings.confirm_seconds

    async def add(self, qun: Qun, room: Room, row: Membership, actor: str, *, may_wait: bool) -> AddResult:
        """Add the person of a membership row to a room and return what WeChat showed.

        `may_wait`: wait as long as the rate limit demands; otherwise raise TooManyRequests if that is longer than a
        request can wait. Also raises AssistantOffline, GroupFull, InviteFailed.
        """
        contact_id, row_id = row.contact_id or "", row.id or 0
        wechat = self._accounts.online(qun.account)
        wait = self._accounts.rate_limiter(qun.account).reserve_add(None if may_wait else self._pacing.request_seconds)
        if wait > self._pacing.request_seconds and not may_wait:
            raise TooManyRequests(f"{qun.account} has reached its rate limit for adding people", retry_after=wait)
        await asyncio.sleep(wait)
        if wait and not await self._states.is_open(row_id):
            raise InviteFailed(MembershipReason.WITHDRAWN)
        action = await self._audit.begin(qun.account, "add", actor, contact_id, number=str(qun.number), room=room.id)
        try:
            seen = await self._add(wechat, room, contact_id, row_id)
        except WeChatError as error:
            await self._audit.end(action, Outcome.FAILED, str(error))
            raise self._refusal(qun.account, error) from error
        if seen is None:
            await self._audit.end(action, Outcome.FAILED, "not seen in the room")
            raise InviteFailed(f"{contact_id} not seen in {room.id}")
        await self._audit.end(action, Outcome.DONE if seen is AddResult.JOINED else Outcome.INVITED, seen)
        return seen

    async def _add(self, wechat: WeChat, room: Room, contact_id: str, row_id: int) -> AddResult | None:
        by_invitation = len(room.member_ids) >= self._settings.direct_add_limit
        try:
            await wechat.add_member(room.id, contact_id)
        except WeChatNeedsConfirmation as error:
            return AddResult.OWNER_ASKED if any(word in error.text for word in OWNER_WORDS) else AddResult.INVITED
        except WeChatUnknown:
            if await wechat.wait_member(room.id, contact_id, DIRECT_JOIN_SECONDS):
                return AddResult.JOINED
            raise
        timeout = self.confirm_seconds
        if by_invitation:
            await self._states.record_inviting(row_id)  # first: a crash must not lead to another invitation
            timeout = min(DIRECT_JOIN_SECONDS, timeout)
        if await wechat.wait_member(room.id, contact_id, timeout):
            return AddResult.JOINED
        size = len(wechat.directory.rooms.get(room.id, room).member_ids)  # others may have joined since then
        return AddResult.INVITED if by_invitation or size >= self._settings.direct_add_limit else None

    def _refusal(self, account: str, error: WeChatError) -> Exception:
        if isinstance(error, WeChatOffline):
            return AssistantOffline(str(error), retry_after=RETRY_AFTER)
        self._accounts.handle_rate_limit(account, error)
        if isinstance(error, WeChatTooFast):
            return TooManyRequests(str(error), retry_after=60)
        if any(word in error.text for word in FULL_WORDS):
            return GroupFull(str(error))
        return InviteFailed(str(error))
