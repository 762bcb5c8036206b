"""Checks pictures and link cards of groups in the background, so that other messages do not wait.

A check is a job (queue "look:ACCOUNT"), which survives a crash.
"""

from __future__ import annotations

from typing import Any, Final

from sqlmodel import Session

from models.db import Store
from models.durable import Priority
from services.accounts.registry import Accounts
from services.groups.groups import Groups
from services.moderation.moderator import Moderator
from services.moderation.sanctions import Sanctions
from services.work.job import Job
from services.work.outbox import Outbox
from wechat.events import GroupMessage

QUEUE: Final = "look"
CONCURRENT: Final = 2  # pictures and links of an account, which are held in memory


class DeferredChecks:
    """Queues and runs the checks of content that has to be fetched."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        outbox: Outbox,
        groups: Groups,
        moderator: Moderator,
        sanctions: Sanctions,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._groups = groups
        self._moderator = moderator
        self._sanctions = sanctions
        outbox.serve(QUEUE, self._deliver, concurrency=CONCURRENT, is_open=accounts.is_online)

    def queue(self, session: Session, event: GroupMessage) -> None:
        """Queue the check of a message, inside a transaction."""
        body: dict[str, Any] = {"message": event.id, "kind": str(event.kind), "room": event.room_id}
        body |= {"from": event.contact_id, "name": event.name}
        self._outbox.add(session, f"{QUEUE}:{event.account}", event.id, body, priority=Priority.NOTICE)

    async def _deliver(self, job: Job) -> str:
        account, body = job.queue.partition(":")[2], job.body
        qun = self._groups.by_room(account, body["room"])
        if qun is None:
            return ""
        offence = await self._moderator.check_content(account, body["message"], body["kind"], qun)
        if offence is not None:
            reason = self._moderator.reason(offence)
            offender = (body["from"], body["name"])
            await self._store.write(
                lambda s: self._sanctions.warn(s, qun, body["room"], *offender, reason, "guard", rule=offence)
            )
        return ""
