"""Delivery attempts of a webhook event: waits, expiry, and accepted responses."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook as Verifier

from config.business import WebhookSettings
from models.db import Store
from services.accounts.audit import Audit
from services.messaging.http_client import HttpClient
from services.messaging.webhook_delivery import WebhookDelivery
from services.work.job import GiveUp, Job, Retry
from services.work.outbox import Outbox
from tests.services.clock import Clock
from tests.stories.business import SECRET
from tests.web_server import serving

DAY = 86400.0
WAITS = [5, 30, 120, 600, 1800, 3600, 7200, 7200, 7200]
Deliver = Callable[..., Any]


@pytest.fixture
async def http_client() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


class Receiver:
    """A receiver with configurable responses."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: dict[str, str] = {}
        self.paths: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        return web.Response(status=self.status, headers=self.headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with serving(receiver.handle) as receiver.url:  # type: ignore[attr-defined]
        yield receiver


@pytest.fixture
def delivery(sqlite_store: Store, clock: Clock, http_client: HttpClient, receiver: Any) -> WebhookDelivery:
    hook = WebhookSettings(name="erp", url=f"{receiver.url}/hook", secret=SECRET)
    outbox, audit = Outbox(sqlite_store, clock), Audit(sqlite_store, clock)
    return WebhookDelivery(outbox, sqlite_store, audit, http_client, [hook], clock)


def job(clock: Clock, attempts: int = 0, age: float = 0, name: str = "erp") -> Job:
    body = {"id": "evt_1", "type": "qun.created", "timestamp": "", "data": {}}
    return Job(1, f"hook:{name}", "100001", body, created_at=clock.now - age, attempts=attempts)


async def test_waits_grow_and_the_last_repeats(delivery: WebhookDelivery, clock: Clock) -> None:
    answers = [await delivery._deliver(job(clock, attempts)) for attempts in range(len(WAITS))]
    assert answers == [Retry(wait, "HTTP 500") for wait in WAITS]


@pytest.mark.parametrize(("left", "again"), [(5.0, True), (4.9, False)])
async def test_delivery_is_retried_for_three_days(
    delivery: WebhookDelivery, clock: Clock, left: float, again: bool
) -> None:
    """It fails if the next attempt would be later than that."""
    answer = await delivery._deliver(job(clock, 0, 3 * DAY - left))
    assert answer == (Retry(5.0, "HTTP 500") if again else GiveUp("HTTP 500"))


@pytest.mark.parametrize(
    ("status", "received"), [(200, True), (204, True), (299, True), (199 + 101, False), (304, False), (400, False)]
)
async def test_any_2xx_counts_as_delivered(
    delivery: WebhookDelivery, clock: Clock, receiver: Receiver, status: int, received: bool
) -> None:
    receiver.status = status
    assert await delivery._deliver(job(clock)) == (f"HTTP {status}" if received else Retry(5.0, f"HTTP {status}"))


async def test_at_most_three_redirects_on_the_same_host(
    delivery: WebhookDelivery, clock: Clock, receiver: Receiver
) -> None:
    receiver.status, receiver.headers = 307, {"Location": "/other"}
    assert await delivery._deliver(job(clock)) == Retry(5.0, "too many redirects")
    assert receiver.paths == ["/hook", "/other", "/other"]
    receiver.headers = {"Location": "http://localhost:1/else"}
    assert await delivery._deliver(job(clock)) == Retry(5.0, "HTTP 307 redirect to another host")


@pytest.mark.parametrize(("status", "received"), [(199, False), (200, True), (299, True), (300, False), (301, False)])
async def test_status_of_a_broken_response_decides(
    delivery: WebhookDelivery, clock: Clock, monkeypatch: pytest.MonkeyPatch, status: int, received: bool
) -> None:
    async def post(_receiver: object, _job: object) -> int:
        raise ValueError("broken")

    monkeypatch.setattr(delivery, "_post", post)
    monkeypatch.setattr("services.messaging.webhook_delivery.status_begun", lambda: status)
    assert await delivery._deliver(job(clock)) == (f"HTTP {status}" if received else Retry(5.0, "ValueError"))

    async def respond(_receiver: object, _job: object) -> int:
        return status

    monkeypatch.setattr(delivery, "_post", respond)
    assert await delivery._deliver(job(clock)) == (f"HTTP {status}" if received else Retry(5.0, f"HTTP {status}"))


async def test_event_is_sent_with_its_signature(clock: Clock, sqlite_store: Store, http_client: HttpClient) -> None:
    seen: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        text = await request.text()
        Verifier(SECRET).verify(text, dict(request.headers))
        seen.append((request.method, request.content_type, request.headers["webhook-id"], text))
        return web.Response(status=204)

    async with serving(handle) as url:
        hook = WebhookSettings(name="erp", url=f"{url}/hook", secret=SECRET)
        outbox, audit = Outbox(sqlite_store, clock), Audit(sqlite_store, clock)
        delivery = WebhookDelivery(outbox, sqlite_store, audit, http_client, [hook], clock)
        clock.now = time.time()
        event = job(clock)
        event.body["data"] = {"name": "宋公明"}
        assert await delivery._deliver(event) == "HTTP 204"
    body = '{"id":"evt_1","type":"qun.created","timestamp":"","data":{"name":"宋公明"}}'
    assert seen == [("POST", "application/json", "evt_1", body)]


async def test_webhook_removed_from_config_is_given_up(delivery: WebhookDelivery, clock: Clock) -> None:
    answer = await delivery._deliver(job(clock, name="old"))
    assert answer == GiveUp("no webhook with this name is configured")
    assert delivery.address_of("old") == "old"
    assert delivery.address_of("erp").endswith("/hook")
