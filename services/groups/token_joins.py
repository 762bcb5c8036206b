"""The ways into a group that begin in WeChat: a join token in a friend request, or in a private message."""

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
    """Lets people in who ask for it themselves."""

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
        self._tasks: dict[asyncio.Task[None], str] = {}  # with the account of each

    # ---- a token from a friend ----

    async def token_sent(self, account: str, contact_id: str, token: str) -> Decision:
        """What to do about a token that a friend sent."""
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
        """The group a token leads into, or what its sender is told instead."""
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
        """What the sender is told when there is nothing to be done; "" when there is."""
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
        """Five wrong tokens within an hour: nothing more is heard for an hour after the fifth."""
        wanted = (
            select(TokenMiss.at)
            .where(TokenMiss.account == account, TokenMiss.contact_id == contact_id)
            .order_by(col(TokenMiss.at).desc())
            .limit(MAX_MISSES)
        )
        last = await self._store.read(lambda s: s.exec(wanted).all())
        return len(last) == MAX_MISSES and last[0] - last[-1] < HOUR and self._clock() < last[0] + HOUR

    # ---- a token in a friend request ----

    async def token_in_request(self, account: str, contact_id: str, name: str, token: str) -> Decision:
        """Keep, for the moment the person is a friend, that they were let in."""
        qun = await self._meant(account, contact_id, token)
        if isinstance(qun, Decision):
            return qun
        answer = await self._known_already(qun, contact_id)
        if answer:
            return Decision(answer, opens=not self._blacklist.holds(qun.number, contact_id))
        return Decision(write=lambda s: self._ask(s, qun, contact_id, name, MemberState.WAITING_FRIEND), opens=True)

    # ---- going on ----

    def became_friend_soon(self, account: str, contact_id: str) -> None:
        """Let a new friend into what they were approved for."""
        self._hold(account, self._became_friend(account, contact_id))

    async def _became_friend(self, account: str, contact_id: str) -> None:
        """WeChat may need some seconds before it shows a new friend as one."""
        wechat = self._accounts.get(account)
        for pause in (0.0, 0.5, 2.0, 5.0):
            await asyncio.sleep(pause)
            if (await wechat.contact(contact_id)).friend or (await wechat.contact(contact_id, fresh=True)).friend:
                break
        await self._memberships.became_friend(account, contact_id)

    async def resume(self, account: str) -> int:
        """Go on with what a crash or a failure cut off; returns how many requests were open."""
        rows = await self._memberships.open_rows(account)
        for row in rows:
            self._hold(account, self._memberships.go_on(row))
        return len(rows)

    async def resume_all(self) -> int:
        """Try again what failed; returns how many requests were open."""
        accounts = [account for account in self._accounts.names() if self._accounts.is_online(account)]
        return sum([await self.resume(account) for account in accounts])

    def go_on_soon(self, membership_id: int) -> None:
        """Go on with a way in that is kept."""
        self._hold("", self._go_on_with(membership_id))

    async def _go_on_with(self, membership_id: int) -> None:
        row = await self._store.read(lambda s: s.get(Membership, membership_id))
        if row is not None and row.state == MemberState.REQUESTED:
            await self._memberships.go_on(row)

    def _go_on_soon(self, account: str, contact_id: str, number: int) -> None:
        self._hold(account, self._go_on(account, contact_id, number))

    async def _go_on(self, account: str, contact_id: str, number: int) -> None:
        wanted = select(Membership).where(Membership.number == number, Membership.who == contact_id)
        row = await self._store.read(lambda s: s.exec(wanted).first())
        if row is not None and row.account == account:
            await self._memberships.go_on(row)

    def _hold(self, account: str, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks[task] = account
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            log.error("a way into a group failed", exc_info=task.exception())

    async def drop(self, account: str) -> None:
        """Let go of what runs for an account that another process serves from now on; the rows say where to go on."""
        mine = [task for task, whose in self._tasks.items() if whose == account]
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)

    async def stop(self) -> None:
        """Let go of what runs; the rows say where to go on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*list(self._tasks), return_exceptions=True)
