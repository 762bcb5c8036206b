"""Delivers what business systems are told: signed POSTs (Standard Webhooks), again for three days, then kept as failed.

Within a queue (one receiver) the events of one key, a group's number, go in order: one that is not taken yet holds
back those behind it, and nobody else's.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import aiohttp
from sqlalchemy import update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar
from standardwebhooks import Webhook as Signer
from yarl import URL

from config.business import WebhookSettings
from errors import NotFound
from models.db import Store
from models.durable import IS_WEBHOOK, OutboxItem, WorkState
from services.accounts.audit import Audit
from services.clock import DAY, Clock
from services.messaging.http_client import HttpClient, describe, let_go
from services.messaging.status_line import forget_status, status_begun
from services.messaging.webhook_events import QUEUE
from services.paging import Page, PageRequest, page_of
from services.work.delivery_queue import GiveUp, Job, Retry
from services.work.outbox import Outbox

log = logging.getLogger(__name__)
TIMEOUT: Final = 10.0
GIVE_UP_AFTER: Final = 3 * DAY  # seconds since the event was promised
WAITS: Final = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0)  # seconds between tries; the last one repeats
MAX_HOPS: Final = 3
MAX_LISTED: Final = 100


class _WrongWay(aiohttp.ClientError):
    """The receiver sent us somewhere we do not go."""


class Resent(NamedTuple):
    """An event that was asked to be sent again; `again` is False for one that had not failed."""

    item: OutboxItem
    again: bool


class WebhookDelivery:
    """The delivery of every webhook's queue, and what came to nothing."""

    def __init__(
        self,
        outbox: Outbox,
        store: Store,
        audit: Audit,
        outside: HttpClient,
        webhooks: Sequence[WebhookSettings],
        clock: Clock,
    ) -> None:
        self.waits: Sequence[float] = WAITS
        self.give_up_after = GIVE_UP_AFTER
        self.timeout = TIMEOUT
        self._outbox = outbox
        self._store = store
        self._audit = audit
        self._outside = outside
        self._clock = clock
        self.configure(webhooks)
        outbox.serve(QUEUE, self._deliver)

    def configure(self, webhooks: Sequence[WebhookSettings]) -> None:
        """Deliver to these from now on; what waits belongs to a webhook's name, whatever its url and secret are."""
        self._receivers = {webhook.name: webhook for webhook in webhooks}

    async def adopt(self) -> None:
        """Give what waits under the url of a webhook, as earlier versions kept it, to its name; before `load`."""
        moves = {f"{QUEUE}:{webhook.plain_url}": f"{QUEUE}:{name}" for name, webhook in self._receivers.items()}

        def write(session: Session) -> None:
            for old, new in moves.items():
                if old != new:
                    move = update(OutboxItem).where(col(OutboxItem.queue) == old).values(queue=new)
                    session.connection().execute(move)

        await self._store.write(write)

    def address_of(self, name: str) -> str:
        """Where a webhook's events go, without what may be secret in it; its name once it is not configured."""
        receiver = self._receivers.get(name)
        return receiver.plain_url if receiver else name

    # ---- delivering ----

    async def _deliver(self, work: Job) -> str | Retry | GiveUp:
        receiver = self._receivers.get(work.queue.removeprefix(f"{QUEUE}:"))
        if receiver is None:
            return GiveUp("no webhook of this name is configured any more")
        forget_status()
        try:
            status = await self._post(receiver, work)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            begun = status_begun()
            if begun is not None and 200 <= begun < 300:  # received, though the rest of the answer is broken
                return f"HTTP {begun}"
            return self._again(work, str(error) if isinstance(error, _WrongWay) else describe(error))
        return f"HTTP {status}" if 200 <= status < 300 else self._again(work, f"HTTP {status}")

    async def _post(self, receiver: WebhookSettings, work: Job) -> int:
        """Send it; a redirect is followed only to the same origin, and only where it keeps the method."""
        body = json.dumps(work.body, ensure_ascii=False, separators=(",", ":"))
        headers = self._headers(receiver, work.body["id"], body)
        url = URL(receiver.url)
        for _ in range(MAX_HOPS):
            async with asyncio.timeout(self.timeout):
                response = await self._outside.session.post(
                    url, data=body.encode(), headers=headers, allow_redirects=False
                )
            async with response:  # received or not is decided: what follows the status line changes nothing
                if response.status not in (307, 308):
                    await let_go(response)
                    return response.status
                target = url.join(URL(response.headers.get("Location", "")))
            if target.origin() != url.origin():
                raise _WrongWay(f"HTTP {response.status} to another host")
            url = target
        raise _WrongWay("too many redirects")

    def _headers(self, receiver: WebhookSettings, event_id: str, body: str) -> dict[str, str]:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return {
            "Content-Type": "application/json; charset=utf-8",
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(Signer(key).sign(event_id, now, body) for key in receiver.keys),
        }

    def _again(self, work: Job, why: str) -> Retry | GiveUp:
        receiver = work.queue.removeprefix(f"{QUEUE}:")
        wait = self.waits[min(work.attempts, len(self.waits) - 1)]
        if self._clock() + wait > work.created_at + self.give_up_after:
            return GiveUp(why)
        log.warning("webhook %s: event %s not received (%s), again in %d s", receiver, work.body["id"], why, wait)
        return Retry(wait, why)

    # ---- what came to nothing ----

    async def listed(self, state: str = WorkState.FAILED) -> Sequence[OutboxItem]:
        """The newest hundred events in this state, the newest first."""
        page = PageRequest(MAX_LISTED)
        return (await self._store.read(lambda s: list_deliveries(s, "", WorkState(state), page))).rows

    def send_again(self, session: Session, item_id: int, who: str) -> Resent:
        """Promise a given-up event anew, inside a transaction, behind what its group has open; one that is open or
        was received stays as it is. NotFound."""
        item = session.exec(_hooks().where(OutboxItem.id == item_id)).first()
        if item is None:
            raise NotFound(f"webhook {item_id}")
        failed = item.state == WorkState.FAILED
        if failed:
            self._outbox.again(session, item)
            self._audit.note(session, "", "webhook_resend", who, str(item_id), "done")
        return Resent(item, failed)


def list_deliveries(session: Session, name: str, state: WorkState, page: PageRequest) -> Page[OutboxItem]:
    """The events for a webhook ("" = for all) in this state, newest first."""
    query = _hooks().where(OutboxItem.state == state)
    if name:
        query = query.where(OutboxItem.queue == f"{QUEUE}:{name}")
    if page.before is not None:
        query = query.where(col(OutboxItem.id) < page.before)
    rows = session.exec(query.order_by(col(OutboxItem.id).desc()).limit(page.limit + 1)).all()
    return page_of(rows, page, lambda item: item.id)


def _hooks() -> SelectOfScalar[OutboxItem]:
    return select(OutboxItem).where(IS_WEBHOOK)
