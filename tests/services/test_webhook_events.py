"""Webhook events: who gets them, and in which form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlmodel import select

from config.business import WebhookSettings
from models.db import Store
from models.durable import OutboxItem
from services.messaging.webhook_events import WebhookEvents
from services.work.outbox import Outbox
from tests.services.clock import Clock

SECRET = "our-hook-secrets-2026"
HOUR = 3600.0


def hook(name: str, *events: Any) -> WebhookSettings:
    return WebhookSettings(name=name, url=f"https://{name}.test/x", secret=SECRET, events=list(events))


class Told:
    """Webhook events over a database; the queued ones are read from it."""

    def __init__(self, store: Store, clock: Clock, *hooks: WebhookSettings) -> None:
        self.store = store
        outbox = Outbox(store, clock)
        outbox.serve("hook", _accept, shared=True)
        self.events = WebhookEvents(outbox, hooks, clock)

    async def rows(self) -> list[OutboxItem]:
        return list(await self.store.read(lambda s: s.exec(select(OutboxItem)).all()))


async def _accept(_job: object) -> str:
    return ""


async def test_event_is_queued_for_every_subscriber(sqlite_store: Store, clock: Clock) -> None:
    told = Told(sqlite_store, clock, hook("all"), hook("some", "qun.created"), hook("other", "qun.lost"))
    data = {"assistant": "weimi1001", "number": 7}
    await sqlite_store.write(lambda s: told.events.publish(s, "qun.created", "7", data))
    await sqlite_store.write(lambda s: told.events.publish(s, "ticket.opened", "x", {}))
    found = [(row.queue, row.key, row.account, row.priority) for row in await told.rows()]
    assert found == [
        ("hook:all", "7", "weimi1001", "b-notice"),
        ("hook:some", "7", "weimi1001", "b-notice"),
        ("hook:all", "x", "", "b-notice"),
    ]
    first, second, third = (json.loads(row.body) for row in await told.rows())
    assert first == second, "one event, with one id"
    assert first == {"id": first["id"], "type": "qun.created", "timestamp": "2027-01-15T08:00:00+00:00", "data": data}
    assert first["id"].startswith("evt_") and len(first["id"]) == 36 and first["id"] != third["id"]


async def test_events_go_to_the_webhooks_of_the_new_config(sqlite_store: Store, clock: Clock) -> None:
    told = Told(sqlite_store, clock, hook("old"))
    assert told.events.wants("qun.created") and not told.events.wants("message.sent")
    told.events.configure([hook("some", "qun.lost"), hook("new", "message.sent")])
    assert [told.events.wants(type) for type in ("qun.created", "qun.lost", "message.sent")] == [False, True, True]
    await sqlite_store.write(lambda s: told.events.publish(s, "message.sent", "x", {}))
    assert [row.queue for row in await told.rows()] == ["hook:new"]


@pytest.mark.parametrize(("later", "times"), [(HOUR, 1), (HOUR + 0.5, 2)])
async def test_new_friend_is_reported_once_an_hour(sqlite_store: Store, clock: Clock, later: float, times: int) -> None:
    told = Told(sqlite_store, clock, hook("all"))
    await sqlite_store.write(lambda s: told.events.friend_added(s, "a", "x", "宋公明"))
    clock.now += later
    await sqlite_store.write(lambda s: told.events.friend_added(s, "a", "x", "宋公明"))
    rows = await told.rows()
    assert len(rows) == times
    assert (rows[0].key, rows[0].account) == ("x", "a")
    assert json.loads(rows[0].body)["data"] == {"assistant": "a", "contact_id": "x", "name": "宋公明"}
    assert json.loads(rows[0].body)["type"] == "friend.added"
    for account, contact in (("b", "x"), ("a", "y")):
        await sqlite_store.write(lambda s, a=account, c=contact: told.events.friend_added(s, a, c, ""))  # type: ignore[misc]
    assert len(await told.rows()) == times + 2, "each friend of each account"
