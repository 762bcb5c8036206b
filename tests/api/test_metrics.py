"""The metrics used by alerts and dashboards."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from api import health
from api.loop_lag import LoopLag
from models.durable import Action, EventState, InboxEvent, Priority
from models.support import Ticket, TicketState
from services.work.delivery_results import LATE_SECONDS, DeliveryResults, Result
from services.work.job import GiveUp, Job, Retry
from tests.api.conftest import ApiServer, StartServer
from tests.waiting import SECONDS, until
from wechat.interface import State

Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]
HOOK = {"url": "http://127.0.0.1:9/hook?key=secret", "secret": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0"}


async def _numbers(server: ApiServer) -> Numbers:
    status, text, _ = await server.call("GET", "/metrics")
    assert status == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def _numbers_with(server: ApiServer, name: str, least: float = 0, **labels: str) -> Numbers:
    """Read the metrics until one of them is there and large enough; a read of the database may take long."""

    async def read() -> Numbers | None:
        numbers = await _numbers(server)
        value = numbers.get((name, frozenset(labels.items())))
        return numbers if value is not None and value >= least else None

    numbers: Numbers = await until(read, f"{name} {labels} reaches {least}")
    return numbers


def value_of(numbers: Numbers, name: str, **labels: str) -> float:
    return numbers[name, frozenset(labels.items())]


async def test_every_metric_exists_from_the_start(start_server: StartServer) -> None:
    """An alert on a metric without samples would never fire."""
    server = await start_server(webhooks=[HOOK])
    numbers = await _numbers_with(server, "wxbot_tickets", state="open")
    for result in ("sent", "late", "failed"):
        assert value_of(numbers, "wxbot_messages_total", assistant="weimi1001", result=result) == 0
    for result in ("delivered", "retried", "failed"):
        assert value_of(numbers, "wxbot_webhook_deliveries_total", webhook="127.0.0.1", result=result) == 0
    for state in ("waiting", "open"):
        assert value_of(numbers, "wxbot_tickets", state=state) == 0
    for kind in ("message", "group", "add", "accept"):
        assert value_of(numbers, "wxbot_pace_used_ratio", assistant="weimi1001", kind=kind) == 0
    assert value_of(numbers, "wxbot_ticket_oldest_waiting_seconds") == 0
    assert value_of(numbers, "wxbot_assistant_up", assistant="weimi1001") == 1
    assert value_of(numbers, "wxbot_queue_oldest_seconds", queue="inbox:weimi1001") == 0
    assert value_of(numbers, "wxbot_event_loop_lag_seconds") >= 0
    assert value_of(numbers, "wxbot_database_seconds_count", operation="commit") == 0
    assert value_of(numbers, "wxbot_database_seconds_count", operation="read") > 0
    assert value_of(numbers, "wxbot_events_parked") == 0


async def test_messages_are_counted_by_result(server: ApiServer) -> None:
    async def say(text: str) -> None:
        await server.call("POST", "/wxbot/message", json={"assistant": "weimi1001", "to": "黑旋风", "text": text})

    sent = partial(_numbers_with, server, "wxbot_messages_total", assistant="weimi1001", result="sent")
    await say("你好")
    await sent(1)
    server.wechat.state = State.CONNECTING
    await say("再见")
    numbers = await _numbers(server)
    assert value_of(numbers, "wxbot_messages_total", assistant="weimi1001", result="sent") == 1
    assert value_of(numbers, "wxbot_assistant_up", assistant="weimi1001") == 0
    server.clock.ahead = 90
    assert 80 < value_of(await _numbers(server), "wxbot_queue_oldest_seconds", queue="wx:weimi1001") < 100
    server.wechat.state = State.ONLINE
    server.container.outbox.wake_account("weimi1001")
    numbers = await _numbers_with(server, "wxbot_messages_total", 1, assistant="weimi1001", result="late")
    assert value_of(numbers, "wxbot_messages_total", assistant="weimi1001", result="late") == 1
    assert value_of(numbers, "wxbot_messages_total", assistant="weimi1001", result="sent") == 1


async def test_webhook_deliveries_are_counted_by_result(start_server: StartServer) -> None:
    server = await start_server(webhooks=[HOOK])
    server.container.webhooks.give_up_after = 0
    await server.make_group()
    await _numbers_with(server, "wxbot_webhook_deliveries_total", 1, webhook="127.0.0.1", result="failed")


def test_overdue_excludes_broadcasts_and_the_first_minute() -> None:
    results = DeliveryResults()
    late = LATE_SECONDS + 1
    results.count(Job(1, "wx:a", "k", {}, due_at=0), "msg", LATE_SECONDS)
    results.count(Job(2, "wx:a", "k", {}, due_at=0), "msg", late)
    results.count(Job(3, "wx:a", "k", {}, priority=Priority.BROADCAST, due_at=0), "msg", late)
    results.count(Job(4, "wx:a", "k", {}, due_at=0), Retry(1, "no"), late)
    results.count(Job(5, "wx:a", "k", {}, due_at=0), GiveUp("no"), late)
    assert results.counts == {
        ("wx:a", Result.SENT): 2,
        ("wx:a", Result.LATE): 1,
        ("wx:a", Result.RETRIED): 1,
        ("wx:a", Result.FAILED): 1,
    }


async def test_queue_metrics_are_read_from_the_database(server: ApiServer) -> None:
    now = server.clock()

    def ticket(contact: str, state: str, ago: float, staff: str = "") -> Ticket:
        return Ticket(
            account="weimi1001", contact_id=contact, state=state, opened_at=now - ago, last_at=now, staff_id=staff
        )

    rows = [
        ticket("a", TicketState.WAITING, 100),
        ticket("b", TicketState.OPEN, 300),
        ticket("c", TicketState.OPEN, 900, staff="wxid_staff"),  # has been answered
        ticket("d", TicketState.CLOSED, 5000),
        InboxEvent(account="weimi1001", event_id="1", kind="message", data="{}", received_at=now - 50),
        InboxEvent(account="weimi1001", event_id="2", kind="message", data="{}", state=EventState.PARKED),
        *(Action(account="weimi1001", kind="accept", who="guard", outcome="done") for _ in range(6)),
    ]
    await server.container.store.write(lambda s: s.add_all(rows))
    numbers = await _numbers_with(server, "wxbot_tickets", state="open")
    assert value_of(numbers, "wxbot_tickets", state="open") == 2
    assert value_of(numbers, "wxbot_tickets", state="waiting") == 1
    assert 299 < value_of(numbers, "wxbot_ticket_oldest_waiting_seconds") < 310
    assert 49 < value_of(numbers, "wxbot_queue_oldest_seconds", queue="inbox:weimi1001") < 60
    assert value_of(numbers, "wxbot_events_parked") == 1
    assert value_of(numbers, "wxbot_pace_used_ratio", assistant="weimi1001", kind="accept") == 0.1


async def test_pace_metric_shows_used_ratio(start_server: StartServer) -> None:
    server = await start_server(pacing={"enabled": True, "groups_per_day": 4, "group_seconds": 0})
    await server.make_group()
    used = value_of(await _numbers(server), "wxbot_pace_used_ratio", assistant="weimi1001", kind="group")
    assert used == 0.25


@pytest.fixture
def hanging_database(server: ApiServer) -> Iterator[None]:
    """A database that accepts connections but never answers again."""
    goes_on = threading.Event()
    event.listen(server.container.store.engine, "begin", lambda _connection: goes_on.wait(60))
    yield
    goes_on.set()


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
async def test_probes_and_metrics_answer_while_database_hangs(
    server: ApiServer, hanging_database: None, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert health.TIMEOUT < 2
    monkeypatch.setattr(health, "TIMEOUT", 0.2)
    for _ in range(6):  # more than the reader threads
        status, body, _ = await server.call("GET", path)
        assert (status, body["database"]) == (503, "down") if path == "/readyz" else "wxbot_assistant_up" in body


async def test_event_loop_lag_is_measured() -> None:
    lag = LoopLag()
    measuring = asyncio.create_task(lag.run())
    await asyncio.sleep(0.05)
    time.sleep(0.9)  # noqa: ASYNC251 - the lag to be measured
    await asyncio.sleep(0.05)
    assert 0.3 < lag.maximum < SECONDS
    measuring.cancel()
