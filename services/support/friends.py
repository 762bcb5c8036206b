"""Accepts friend requests with a random delay and a daily limit, to look human."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func
from sqlmodel import Session, col, select

from config.customer_service import CustomerService
from config.texts import fill
from errors import WeChatError, WeChatOffline, WeChatTooFast, WeChatUnknown
from models.conversations import Greeted
from models.db import Store, after_commit
from models.durable import Action, OutboxItem, Priority
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.clock import Clock
from services.messaging.messages import Messages
from services.text import normal
from services.work.job import GiveUp, Job, Retry
from services.work.outbox import Outbox

log = logging.getLogger(__name__)
QUEUE = "accept"
MAX_TRIES = 4
MAX_HELLOS = 1_000
HELLO_SECONDS = 86_400.0  # after which the words of a friend request are words like any other
TOO_FAST_WAIT = 600.0  # seconds


class Friends:
    """Accepts friend requests as queued jobs."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        accounts: Accounts,
        audit: Audit,
        messages: Messages,
        settings: CustomerService,
        zone: ZoneInfo,
        clock: Clock,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._accounts = accounts
        self._audit = audit
        self._messages = messages
        self._settings = settings
        self._zone = zone
        self._clock = clock
        self._rng = random.Random()
        self._hellos: dict[tuple[str, str], str] = {}  # what people wrote who asked to become friends
        self._next_at: dict[str, float] = {}  # by account: when the next may be accepted
        self.on_accepted: Callable[[str, str], None] = lambda _account, _contact_id: None
        outbox.serve(QUEUE, self._deliver, at_once=1, is_open=accounts.is_online)

    def accepts(self, hello: str) -> bool:
        """Whether the rules accept a request with this text: no words are configured, or it contains one of them."""
        words = self._settings.accept.words
        return not words or any(normal(word) in normal(hello) for word in words)

    def accept_soon(self, session: Session, account: str, friendship_id: str, contact_id: str, words: str = "") -> None:
        """Queue the acceptance of a request after a random delay, inside a transaction; `words` are sent then."""
        run_at = self._clock() + self._rng.uniform(*self._settings.accept.delay_seconds)
        body: dict[str, Any] = {"friendship": friendship_id, "contact": contact_id, "words": words}
        body["hello"] = self._hellos.get((account, contact_id), "")
        body["friend_before"] = self._knows_as_friend(account, contact_id)
        self._outbox.add(session, f"{QUEUE}:{account}", contact_id, body, priority=Priority.NOTICE, run_at=run_at)

    async def asked_with(self, account: str, contact_id: str, words: str) -> bool:
        """Whether these are the words of the person's friend request, which come again as their first message."""
        hello = self._hellos.get((account, contact_id))
        if hello is None:
            hello = await self._store.read(lambda s: self._hello_kept(s, account, contact_id))
        return hello != "" and normal(hello) == normal(words)

    def asked(self, account: str, contact_id: str, hello: str) -> None:
        """Remember what a person wrote who asked to become a friend."""
        self._hellos[account, contact_id] = hello
        if len(self._hellos) > MAX_HELLOS:
            del self._hellos[next(iter(self._hellos))]

    def _hello_kept(self, session: Session, account: str, contact_id: str) -> str:
        since = self._clock() - HELLO_SECONDS
        mine = select(OutboxItem.body).where(OutboxItem.queue == f"{QUEUE}:{account}", OutboxItem.key == contact_id)
        body = session.exec(mine.where(OutboxItem.created_at >= since).order_by(col(OutboxItem.id).desc())).first()
        return str(json.loads(body).get("hello", "")) if body else ""

    def greet(self, session: Session, account: str, contact_id: str, *, again: bool = False) -> None:
        """Greet a new friend, once ever unless `again`. Official accounts are not greeted."""
        wechat = self._accounts.get(account)
        known = wechat.directory.contacts.get(contact_id)
        if not self._settings.greeting or self._accounts.is_own(contact_id) or (known is not None and known.official):
            return
        row = self._store.insert(Greeted).values(account=account, contact_id=contact_id, at=self._clock())
        # not rowcount: psycopg reports -1 for an insert that did nothing
        inserted = row.on_conflict_do_nothing().returning(col(Greeted.contact_id))
        if session.connection().execute(inserted).first() or again:
            own = wechat.directory.contacts.get(wechat.self_id)
            words = fill(self._settings.greeting, assistant=own.name if own else account)
            self._messages.say(session, account, contact_id, words)

    # ---- accepting ----

    async def _deliver(self, work: Job) -> str | Retry | GiveUp:
        account, contact_id = work.queue.partition(":")[2], work.body["contact"]
        # If they have become a friend since, the request was accepted, perhaps before a crash. If they were one
        # before, it is still open: they had deleted the assistant, or the gateway reports everybody as a friend.
        if work.body.get("friend_before") or not self._knows_as_friend(account, contact_id):
            put_off = await self._put_off(account)
            if put_off is not None:
                return put_off
            failed = await self._accept(account, work)
            if failed is not None:
                return failed
        await self._store.write(lambda s: self._now_friends(s, account, work))
        self.on_accepted(account, contact_id)
        return ""

    def _knows_as_friend(self, account: str, contact_id: str) -> bool:
        known = self._accounts.get(account).directory.contacts.get(contact_id)
        return known is not None and known.friend

    def _now_friends(self, session: Session, account: str, work: Job) -> None:
        contact_id = work.body["contact"]
        after_commit(session, lambda: self._accounts.get(account).directory.befriend(contact_id))
        self.greet(session, account, contact_id)
        if work.body.get("words"):
            self._messages.say(session, account, work.body["contact"], work.body["words"])

    async def _put_off(self, account: str) -> Retry | None:
        """Return a retry if the daily limit is used up or the last acceptance was too recent. The audit log is the
        counter.
        """
        now = self._clock()
        today = datetime.fromtimestamp(now, self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        if await self._store.read(lambda s: self._accepted(s, account, today)) >= self._settings.accept.max_per_day:
            tomorrow = today + timedelta(days=1, minutes=self._rng.uniform(1, 30))
            return Retry(tomorrow.timestamp() - now, "the daily limit of friend requests is reached", counts=False)
        wait = self._next_at.get(account, 0) - now
        if 0 < wait <= self._settings.accept.delay_seconds[1]:  # a longer wait means that the clock was set back
            return Retry(wait, "requests are accepted one at a time", counts=False)
        self._next_at[account] = now + self._rng.uniform(*self._settings.accept.delay_seconds)
        return None

    async def _accept(self, account: str, work: Job) -> Retry | GiveUp | None:
        contact_id = work.body["contact"]
        action = await self._audit.tried(account, "accept", f"person:{contact_id}", contact_id)
        try:
            await self._accounts.get(account).accept_friend(work.body["friendship"])
        except WeChatError as error:
            if await self._is_friend(account, contact_id):
                await self._audit.ended(action, "done", f"already a friend despite: {error}")
                return None
            await self._audit.ended(action, "failed", str(error))
            return self._again(account, work, error)
        await self._audit.ended(action, "done")
        return None

    async def _is_friend(self, account: str, contact_id: str) -> bool:
        try:
            return (await self._accounts.get(account).contact(contact_id, fresh=True)).friend
        except WeChatError:
            return False

    def _again(self, account: str, work: Job, error: WeChatError) -> Retry | GiveUp:
        if isinstance(error, WeChatOffline):
            return Retry(1, str(error), counts=False)
        self._accounts.heed(account, error)
        if isinstance(error, WeChatTooFast):
            return Retry(TOO_FAST_WAIT, str(error), counts=False)  # the limit may last an hour or the rest of the day
        if work.attempts >= MAX_TRIES:
            return GiveUp(str(error))
        return Retry(2 if isinstance(error, WeChatUnknown) else 60, str(error))

    def _accepted(self, session: Session, account: str, since: datetime) -> int:
        count = select(func.count(col(Action.id))).where(
            Action.account == account, Action.kind == "accept", Action.outcome == "done", Action.at >= since.timestamp()
        )
        return session.exec(count).one()
