"""Requests to join by a token, in a friend request or a private message."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from sqlmodel import Session, col, select

from config.settings import GroupSettings
from config.texts import Texts, fill
from errors import BotError, InviteFailed, TokenExpired, TokenInvalid
from models.db import Store
from models.groups import Membership, MemberState, Qun, TokenMiss
from services.accounts.registry import Accounts
from services.clock import DAY, Clock
from services.decision import Decision
from services.groups.blacklist import Blacklist
from services.groups.groups import Groups
from services.groups.membership_rows import membership_of, put_membership
from services.groups.memberships import Memberships

log = logging.getLogger(__name__)
MAX_MISSES = 5
HOUR = 3600.0


class TokenJoins:
    """Processes tokens, and resumes interrupted requests."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        memberships: Memberships,
        blacklist: Blacklist,
        settings: GroupSettings,
        texts: Texts,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._memberships = memberships
        self._blacklist = blacklist
        self._settings = settings
        self._texts = texts
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- tokens in private messages ----

    async def token_sent(self, account: str, contact_id: str, token: str) -> Decision:
        """Decide about a token sent by a friend."""
        qun = await self._meant(account, contact_id, token)
        if isinstance(qun, Decision):
            return qun
        answer = await self._known_already(qun, contact_id)
        if answer:
            return Decision(answer)
        name = (await self._accounts.get(account).contact(contact_id)).name
        return Decision(
            fill(self._texts.joining, topic=qun.topic),
            lambda s: self._ask(s, qun, contact_id, name, MemberState.REQUESTED),
            lambda: self._go_on_soon(account, contact_id, qun.number),
        )

    async def _meant(self, account: str, contact_id: str, token: str) -> Qun | Decision:
        """Return the group of a token, or the decision if it is not usable."""
        if await self._shut_out(account, contact_id):
            return Decision()
        try:
            return self._group(account, token)
        except TokenExpired:
            return Decision(words=self._texts.expired_token)
        except InviteFailed:
            return Decision(words=self._texts.join_closed)
        except BotError:
            return Decision(self._texts.bad_token, lambda s: self._miss(s, account, contact_id))

    async def _known_already(self, qun: Qun, contact_id: str) -> str:
        """Return the reply if there is nothing to do, else ""."""
        if self._blacklist.holds(qun.number, contact_id):
            return fill(self._texts.blacklisted, topic=qun.topic)
        if self._groups.room_of(qun, contact_id):
            return fill(self._texts.already_member, topic=qun.topic)
        row = await self._store.read(lambda s: membership_of(s, qun.number, contact_id))
        if row is None or row.state != MemberState.INVITED or (row.expires_at or 0) <= self._clock():
            return ""
        words = self._texts.waiting_owner if row.error == "owner" else self._texts.invited
        return fill(words, topic=qun.topic, days=max(1, round(((row.expires_at or 0) - self._clock()) / DAY)))

    def _group(self, account: str, token: str) -> Qun:
        qun = self._memberships.group_of(token)
        if qun.account != account:
            raise TokenInvalid(f"a group of {qun.account}")
        return qun

    def _ask(self, session: Session, qun: Qun, contact_id: str, name: str, state: str) -> None:
        until = self._clock() + self._settings.pending_days * DAY if state == MemberState.WAITING_FRIEND else None
        put_membership(
            session,
            qun,
            self._clock(),
            name=name,
            contact_id=contact_id,
            state=state,
            source="message",
            expires_at=until,
        )

    def _miss(self, session: Session, account: str, contact_id: str) -> None:
        session.add(TokenMiss(account=account, contact_id=contact_id, at=self._clock()))

    async def _shut_out(self, account: str, contact_id: str) -> bool:
        """Whether the person is ignored: five wrong tokens within an hour, for an hour after the fifth."""
        wanted = (
            select(TokenMiss.at)
            .where(TokenMiss.account == account, TokenMiss.contact_id == contact_id)
            .order_by(col(TokenMiss.at).desc())
            .limit(MAX_MISSES)
        )
        last = await self._store.read(lambda s: s.exec(wanted).all())
        return len(last) == MAX_MISSES and last[0] - last[-1] < HOUR and self._clock() < last[0] + HOUR

    # ---- tokens in friend requests ----

    async def token_in_request(self, account: str, contact_id: str, name: str, token: str) -> Decision:
        """Decide about a token in a friend request; the person is added once they are a friend."""
        qun = await self._meant(account, contact_id, token)
        if isinstance(qun, Decision):
            return qun
        answer = await self._known_already(qun, contact_id)
        if answer:
            return Decision(answer, opens=not self._blacklist.holds(qun.number, contact_id))
        return Decision(write=lambda s: self._ask(s, qun, contact_id, name, MemberState.WAITING_FRIEND), opens=True)

    # ---- continuing ----

    def became_friend_soon(self, account: str, contact_id: str) -> None:
        """Start adding a new friend to the groups that wait for them."""
        self._hold(self._became_friend(account, contact_id))

    async def _became_friend(self, account: str, contact_id: str) -> None:
        """Wait until WeChat shows the new friend as one, which may take seconds, and add them."""
        wechat = self._accounts.get(account)
        for pause in (0.0, 0.5, 2.0, 5.0):
            await asyncio.sleep(pause)
            if (await wechat.contact(contact_id)).friend or (await wechat.contact(contact_id, fresh=True)).friend:
                break
        await self._memberships.became_friend(account, contact_id)

    async def resume(self, account: str) -> int:
        """Resume the interrupted requests of an account; return their number."""
        rows = await self._memberships.open_rows(account)
        for row in rows:
            self._hold(self._memberships.go_on(row))
        return len(rows)

    async def resume_all(self) -> int:
        """Retry the failed requests of all online accounts; return their number."""
        accounts = [account for account in self._accounts.names() if self._accounts.is_online(account)]
        return sum([await self.resume(account) for account in accounts])

    def go_on_soon(self, membership_id: int) -> None:
        """Start a stored request to join."""
        self._hold(self._go_on_with(membership_id))

    async def _go_on_with(self, membership_id: int) -> None:
        row = await self._store.read(lambda s: s.get(Membership, membership_id))
        if row is not None and row.state == MemberState.REQUESTED:
            await self._memberships.go_on(row)

    def _go_on_soon(self, account: str, contact_id: str, number: int) -> None:
        self._hold(self._go_on(account, contact_id, number))

    async def _go_on(self, account: str, contact_id: str, number: int) -> None:
        wanted = select(Membership).where(Membership.number == number, Membership.who == contact_id)
        row = await self._store.read(lambda s: s.exec(wanted).first())
        if row is not None and row.account == account:
            await self._memberships.go_on(row)

    def _hold(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a way into a group failed", exc_info=task.exception())

    async def stop(self) -> None:
        """Cancel running tasks; the rows say where to resume."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
