"""Accepts friend requests as queued jobs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from sqlmodel import Session

from errors import WeChatError, WeChatOffline, WeChatTooFast, WeChatUnknown
from models.durable import Outcome, Priority
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.support.acceptance_policy import AcceptancePolicy
from services.support.greetings import Greetings
from services.support.request_texts import QUEUE, RequestTexts
from services.work.job import GiveUp, Job, Retry
from services.work.outbox import Outbox

log = logging.getLogger(__name__)
MAX_TRIES: Final = 4
TOO_FAST_WAIT = 600.0  # seconds


class FriendRequests:
    """Accepts the requests one at a time; `on_accepted` is called with account and contact id after each."""

    def __init__(
        self,
        outbox: Outbox,
        accounts: Accounts,
        audit: Audit,
        policy: AcceptancePolicy,
        texts: RequestTexts,
        greetings: Greetings,
        on_accepted: Callable[[str, str], None],
    ) -> None:
        self._outbox = outbox
        self._accounts = accounts
        self._audit = audit
        self._policy = policy
        self._texts = texts
        self._greetings = greetings
        self._on_accepted = on_accepted
        outbox.serve(QUEUE, self._deliver, concurrency=1, is_open=accounts.is_online)

    def accept_soon(self, session: Session, account: str, friendship_id: str, contact_id: str, reply: str = "") -> None:
        """Queue the acceptance of a request after a random delay, inside a transaction; `reply` is sent then."""
        body: dict[str, Any] = {"friendship": friendship_id, "contact": contact_id, "words": reply}
        body["hello"] = self._texts.get(account, contact_id)
        body["friend_before"] = self._is_friend_in_directory(account, contact_id)
        run_at = self._policy.random_time()
        self._outbox.add(session, f"{QUEUE}:{account}", contact_id, body, priority=Priority.NOTICE, run_at=run_at)

    async def _deliver(self, job: Job) -> str | Retry | GiveUp:
        account, contact_id = job.queue.partition(":")[2], job.body["contact"]
        # If they have become a friend since, the request was accepted, perhaps before a crash. If they were one
        # before, it is still open: they had deleted the assistant, or the gateway reports everybody as a friend.
        if job.body.get("friend_before") or not self._is_friend_in_directory(account, contact_id):
            failure = await self._policy.retry_if_limited(account) or await self._accept(account, job)
            if failure is not None:
                return failure
        await self._greetings.welcome(account, contact_id, job.body.get("words", ""))
        self._on_accepted(account, contact_id)
        return ""

    def _is_friend_in_directory(self, account: str, contact_id: str) -> bool:
        contact = self._accounts.get(account).directory.contacts.get(contact_id)
        return contact is not None and contact.friend

    async def _accept(self, account: str, job: Job) -> Retry | GiveUp | None:
        contact_id = job.body["contact"]
        action = await self._audit.begin(account, "accept", f"person:{contact_id}", contact_id)
        try:
            await self._accounts.get(account).accept_friend(job.body["friendship"])
        except WeChatError as error:
            if await self._is_friend_in_wechat(account, contact_id):
                await self._audit.end(action, Outcome.DONE, f"already a friend despite: {error}")
                return None
            await self._audit.end(action, Outcome.FAILED, str(error))
            return self._retry(account, job, error)
        await self._audit.end(action, Outcome.DONE)
        return None

    async def _is_friend_in_wechat(self, account: str, contact_id: str) -> bool:
        try:
            return (await self._accounts.get(account).contact(contact_id, fresh=True)).friend
        except WeChatError:
            return False

    def _retry(self, account: str, job: Job, error: WeChatError) -> Retry | GiveUp:
        if isinstance(error, WeChatOffline):
            return Retry(1, str(error), counts=False)
        self._accounts.handle_rate_limit(account, error)
        if isinstance(error, WeChatTooFast):
            return Retry(
                TOO_FAST_WAIT, str(error), counts=False
            )  # the limit may last an hour or until the end of the day
        if job.attempts >= MAX_TRIES:
            return GiveUp(str(error))
        return Retry(2 if isinstance(error, WeChatUnknown) else 60, str(error))
