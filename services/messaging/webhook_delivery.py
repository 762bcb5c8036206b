"""Delivery of webhook events: signed POSTs (Standard Webhooks), retried for three days, then kept as failed.

Within a queue (one receiver), events with the same key, such as a group's number, are delivered in order: a failing one
holds back later ones with its key, but no others.
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
from models.durable import IS_WEBHOOK, OutboxItem, Outcome, WorkState
from services.accounts.audit import Audit
from services.clock import DAY, Clock
from services.messaging.http_client import HttpClient, describe, discard
from services.messaging.status_line import forget_status, status_begun
from services.messaging.webhook_events import QUEUE
from services.paging import Page, PageRequest, page_of
from services.work.job import GiveUp, Job, Retry
from services.work.outbox import Outbox

log = logging.getLogger(__name__)
TIMEOUT: Final = 10.0
GIVE_UP_AFTER: Final = 3 * DAY  # seconds after the event was queued
WAITS: Final = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0)  # seconds between attempts; the last one repeats
MAX_HOPS: Final = 3
MAX_LISTED: Final = 100


class _RedirectRefused(aiohttp.ClientError):
    """The receiver redirected to a place that is not followed."""


class Resent(NamedTuple):
    """An event whose repetition was requested; `again` is False if it had not failed."""

    item: OutboxItem
    again: bool


class WebhookDelivery:
    """Delivers the events of all webhooks, and resends failed ones."""

    def __init__(
        self,
        outbox: Outbox,
        store: Store,
        audit: Audit,
        http_client: HttpClient,
        webhooks: Sequence[WebhookSettings],
        clock: Clock,
    ) -> None:
        self.waits: Sequence[float] = WAITS
        self.give_up_after = GIVE_UP_AFTER
        self.timeout = TIMEOUT
        self._outbox = outbox
        self._store = store
        self._audit = audit
        self._http_client = http_client
        self._clock = clock
        self.configure(webhooks)
        outbox.serve(QUEUE, self._deliver, shared=True)

    def configure(self, webhooks: Sequence[WebhookSettings]) -> None:
        """Replace the webhooks. Queued events belong to a webhook's name, regardless of its URL and secret."""
        self._receivers = {webhook.name: webhook for webhook in webhooks}

    async def adopt(self) -> None:
        """Rename queues of earlier versions, which were named by URL. Must run before Outbox.load."""
        new_names = {f"{QUEUE}:{webhook.plain_url}": f"{QUEUE}:{name}" for name, webhook in self._receivers.items()}

        def write(session: Session) -> None:
            for old, new in new_names.items():
                if old != new:
                    move = update(OutboxItem).where(col(OutboxItem.queue) == old).values(queue=new)
                    session.connection().execute(move)

        await self._store.write(write)

    def address_of(self, name: str) -> str:
        """Return a webhook's URL without secrets, or its name if it is no longer configured."""
        receiver = self._receivers.get(name)
        return receiver.shown_url if receiver else name

    # ---- delivery ----

    async def _deliver(self, job: Job) -> str | Retry | GiveUp:
        receiver = self._receivers.get(job.queue.removeprefix(f"{QUEUE}:"))
        if receiver is None:
            return GiveUp("no webhook with this name is configured")
        forget_status()
        try:
            status = await self._post(receiver, job)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            begun = status_begun()
            if (
                begun is not None and 200 <= begun < 300
            ):  # accepted, even though the response is invalid after its status line
                return f"HTTP {begun}"
            return self._retry_later(job, str(error) if isinstance(error, _RedirectRefused) else describe(error))
        return f"HTTP {status}" if 200 <= status < 300 else self._retry_later(job, f"HTTP {status}")

    async def _post(self, receiver: WebhookSettings, job: Job) -> int:
        """POST the event. Redirects are followed only to the same origin, and only if they keep the method."""
        body = json.dumps(job.body, ensure_ascii=False, separators=(",", ":"))
        headers = self._headers(receiver, job.body["id"], body)
        url = URL(receiver.url)
        for _ in range(MAX_HOPS):
            async with asyncio.timeout(self.timeout):
                response = await self._http_client.session.post(
                    url, data=body.encode(), headers=headers, allow_redirects=False
                )
            async with response:  # the status line decides; errors after it do not matter
                if response.status not in (307, 308):
                    await discard(response)
                    return response.status
                target = url.join(URL(response.headers.get("Location", "")))
            if target.origin() != url.origin():
                raise _RedirectRefused(f"HTTP {response.status} redirect to another host")
            url = target
        raise _RedirectRefused("too many redirects")

    def _headers(self, receiver: WebhookSettings, event_id: str, body: str) -> dict[str, str]:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return {
            "Content-Type": "application/json; charset=utf-8",
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(Signer(key).sign(event_id, now, body) for key in receiver.keys),
        }

    def _retry_later(self, job: Job, error: str) -> Retry | GiveUp:
        receiver = job.queue.removeprefix(f"{QUEUE}:")
        wait = self.waits[min(job.attempts, len(self.waits) - 1)]
        if self._clock() + wait > job.created_at + self.give_up_after:
            return GiveUp(error)
        log.warning("webhook %s: event %s not received (%s), retrying in %d s", receiver, job.body["id"], error, wait)
        return Retry(wait, error)

    # ---- failed events ----

    async def newest_events(self, state: str = WorkState.FAILED) -> Sequence[OutboxItem]:
        """Return the newest hundred events in this state, newest first."""
        page = PageRequest(MAX_LISTED)
        return (await self._store.read(lambda s: list_deliveries(s, "", WorkState(state), page))).rows

    def send_again(self, session: Session, item_id: int, actor: str) -> Resent:
        """Queue a failed event again, inside a transaction, after its group's open events. Raises NotFound.

        An event that is open or was received is left unchanged.
        """
        item = session.exec(_hooks().where(OutboxItem.id == item_id)).first()
        if item is None:
            raise NotFound(f"webhook {item_id}")
        has_failed = item.state == WorkState.FAILED
        if has_failed:
            self._outbox.requeue(session, item)
            self._audit.record(session, "", "webhook_resend", actor, str(item_id), Outcome.DONE)
        return Resent(item, has_failed)


def list_deliveries(session: Session, name: str, state: WorkState, page: PageRequest) -> Page[OutboxItem]:
    """Return a page of the events of a webhook ("" = all) in this state, newest first."""
    query = _hooks().where(OutboxItem.state == state)
    if name:
        query = query.where(OutboxItem.queue == f"{QUEUE}:{name}")
    if page.before is not None:
        query = query.where(col(OutboxItem.id) < page.bound)
    rows = session.exec(query.order_by(col(OutboxItem.id).desc()).limit(page.limit + 1)).all()
    return page_of(rows, page, lambda item: item.id)


def _hooks() -> SelectOfScalar[OutboxItem]:
    return select(OutboxItem).where(IS_WEBHOOK)
