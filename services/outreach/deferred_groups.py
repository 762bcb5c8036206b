"""Groups created by respond-async requests: queued, and created when the account's rate limit allows."""

from __future__ import annotations

from sqlmodel import Session, select

from errors import AssistantOffline, BotError, GroupNotMade, TooManyRequests
from models.db import Store
from models.durable import OutboxItem, Priority, WorkState
from models.groups import Qun, QunState
from services.accounts.registry import Accounts
from services.groups.lifecycle import GroupLifecycle
from services.work.job import GiveUp, Job, Retry
from services.work.outbox import Outbox

QUEUE = "make"
WAITS = (10.0, 60.0, 300.0, 900.0, 3600.0, 3600.0, 3600.0)  # seconds between attempts that WeChat rejects


class DeferredGroups:
    """Queues the creation of groups."""

    def __init__(self, store: Store, accounts: Accounts, lifecycle: GroupLifecycle, outbox: Outbox) -> None:
        self._store = store
        self._lifecycle = lifecycle
        self._outbox = outbox
        outbox.serve(QUEUE, self._make, concurrency=1, is_open=accounts.is_online)

    async def create(self, code: str, owner: str, account: str, actor: str) -> Qun:
        """Return the group of this code and queue its creation, unless it exists already.

        Raises the errors of GroupLifecycle.create that do not depend on creating the room.
        """
        qun = await self._lifecycle.prepare(code, owner, account)
        if qun.state == QunState.MAKING:
            await self._store.write(lambda s: self._queue(s, qun, actor))
        return qun

    def _queue(self, session: Session, qun: Qun, actor: str) -> None:
        key = f"{QUEUE}:{qun.number}"
        item = session.exec(select(OutboxItem).where(OutboxItem.idempotency_key == key)).first()
        if item is None:
            body = {"code": qun.code, "owner": qun.owner, "who": actor}
            queue = f"{QUEUE}:{qun.account}"
            self._outbox.add(session, queue, qun.account, body, priority=Priority.NOTICE, idempotency_key=key)
        elif item.state not in (WorkState.QUEUED, WorkState.SENDING):
            self._outbox.requeue(session, item)

    async def _make(self, job: Job) -> str | Retry | GiveUp:
        account = job.queue.partition(":")[2]
        try:
            qun, _ = await self._lifecycle.create(job.body["code"], job.body["owner"], account, job.body["who"])
        except (TooManyRequests, AssistantOffline) as error:
            return Retry(max(1.0, error.retry_after or 5.0), error.message, counts=False)
        except GroupNotMade as error:
            if job.attempts >= len(WAITS):
                return GiveUp(str(error))
            return Retry(WAITS[job.attempts], str(error))
        except BotError as error:
            return GiveUp(str(error))
        return str(qun.number)
