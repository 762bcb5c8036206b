"""Requests to join by a token, in a friend request or a private message."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from config.texts import Texts, fill
from errors import BotError, InviteFailed, TokenExpired, TokenInvalid
from models.groups import MembershipReason, MemberState, Qun
from services.accounts.registry import Accounts
from services.decision import Decision
from services.groups.blacklist import Blacklist
from services.groups.groups import Groups
from services.groups.membership_states import MembershipStates
from services.groups.memberships import Memberships
from services.groups.wrong_tokens import WrongTokens
from wechat.interface import Capability

log = logging.getLogger(__name__)


class TokenJoins:
    """Processes tokens, and resumes interrupted requests."""

    def __init__(
        self,
        accounts: Accounts,
        groups: Groups,
        states: MembershipStates,
        memberships: Memberships,
        blacklist: Blacklist,
        wrong_tokens: WrongTokens,
        texts: Texts,
    ) -> None:
        self._accounts = accounts
        self._groups = groups
        self._states = states
        self._memberships = memberships
        self._blacklist = blacklist
        self._wrong_tokens = wrong_tokens
        self._texts = texts
        self._tasks: dict[asyncio.Task[None], str] = {}  # with the account of each

    # ---- tokens in private messages ----

    async def token_sent(self, account: str, contact_id: str, token: str) -> Decision:
        """Decide about a token sent by a friend."""
        qun = await self._selected(account, contact_id, token)
        if isinstance(qun, Decision):
            return qun
        answer = await self._reply_if_settled(qun, contact_id)
        if answer:
            return Decision(answer)
        name = (await self._accounts.get(account).contact(contact_id)).name
        if Capability.JOIN_BY_CODE in self._accounts.get(account).capabilities:
            await self._states.invite_by_code(qun, name, contact_id)
            return Decision(fill(self._texts.join_by_code, topic=qun.topic, url=self._groups.url(qun)))
        return Decision(
            fill(self._texts.joining, topic=qun.topic),
            lambda s: self._states.ask(s, qun, contact_id, name, MemberState.REQUESTED),
            lambda: self._track(account, self._resume(qun, contact_id)),
        )

    async def _selected(self, account: str, contact_id: str, token: str) -> Qun | Decision:
        """Return the group of a token, or the reply to its sender."""
        if await self._wrong_tokens.is_blocked(account, contact_id):
            return Decision()
        try:
            return self._group(account, token)
        except TokenExpired:
            return Decision(reply=self._texts.expired_token)
        except InviteFailed:
            return Decision(reply=self._texts.join_closed)
        except BotError:
            return Decision(self._texts.bad_token, lambda s: self._wrong_tokens.record(s, account, contact_id))

    async def _reply_if_settled(self, qun: Qun, contact_id: str) -> str:
        """Return the reply if there is nothing to do, else ""."""
        if self._blacklist.holds(qun.number, contact_id):
            return fill(self._texts.blacklisted, topic=qun.topic)
        if self._groups.room_of(qun, contact_id):
            return fill(self._texts.already_member, topic=qun.topic)
        row = await self._states.find(qun, contact_id)
        if row is None or not self._states.is_pending(row, MemberState.INVITED):
            return ""
        by_owner = row.error == MembershipReason.OWNER_MUST_CONFIRM
        template = self._texts.waiting_owner if by_owner else self._texts.invited
        return fill(template, topic=qun.topic, days=self._states.days_left(row))

    def _group(self, account: str, token: str) -> Qun:
        qun = self._groups.joinable_by(token)
        if qun.account != account:
            raise TokenInvalid(f"the group belongs to {qun.account}")
        return qun

    # ---- a token in a friend request ----

    async def token_in_request(self, account: str, contact_id: str, name: str, token: str) -> Decision:
        """Decide about a token in a friend request; the person is added once they are a friend."""
        qun = await self._selected(account, contact_id, token)
        if isinstance(qun, Decision):
            return qun
        answer = await self._reply_if_settled(qun, contact_id)
        if answer:
            return Decision(answer, may_accept=not self._blacklist.holds(qun.number, contact_id))
        return Decision(
            write=lambda s: self._states.ask(s, qun, contact_id, name, MemberState.WAITING_FRIEND), may_accept=True
        )

    # ---- continuing ----

    def became_friend_soon(self, account: str, contact_id: str) -> None:
        """Start adding a new friend to the groups that wait for them."""
        self._track(account, self._became_friend(account, contact_id))

    async def _became_friend(self, account: str, contact_id: str) -> None:
        """Wait until WeChat shows the new friend as one, which may take seconds, and add them."""
        wechat = self._accounts.get(account)
        for pause in (0.0, 0.5, 2.0, 5.0):
            await asyncio.sleep(pause)
            if (await wechat.contact(contact_id)).friend or (await wechat.contact(contact_id, fresh=True)).friend:
                break
        await self._memberships.became_friend(account, contact_id)

    async def resume(self, account: str) -> int:
        """Continue interrupted requests; return the number of open ones."""
        rows = await self._memberships.interrupted(account)
        for row in rows:
            self._track(account, self._memberships.resume(row))
        return len(rows)

    async def resume_all(self) -> int:
        """Retry the failed requests of all online accounts; return their number."""
        accounts = [account for account in self._accounts.names() if self._accounts.is_online(account)]
        return sum([await self.resume(account) for account in accounts])

    def resume_soon(self, membership_id: int) -> None:
        """Continue a stored request in the background."""
        self._track("", self._resume_one(membership_id))

    async def _resume_one(self, membership_id: int) -> None:
        row = await self._states.get(membership_id)
        if row.state == MemberState.REQUESTED:
            await self._memberships.resume(row)

    async def _resume(self, qun: Qun, contact_id: str) -> None:
        row = await self._states.find(qun, contact_id)
        if row is not None:
            await self._memberships.resume(row)

    def _track(self, account: str, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks[task] = account
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            log.error("joining a group failed", exc_info=task.exception())

    async def drop(self, account: str) -> None:
        """Cancel the tasks of an account that another process serves from now on; the rows say where to resume."""
        own_tasks = [task for task, owner in self._tasks.items() if owner == account]
        for task in own_tasks:
            task.cancel()
        await asyncio.gather(*own_tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Cancel running tasks; the rows say where to resume."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*list(self._tasks), return_exceptions=True)
