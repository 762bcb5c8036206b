"""Lists of sent messages and webhook events, and repeating failed ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from sqlmodel import Session, select

from config.business import WebhookSettings
from errors import NotFound
from models.db import Store
from models.durable import Action, OutboxItem, WorkState
from services.accounts.audit import Audit
from services.messaging.http_client import HttpClient
from services.messaging.sent_list import list_messages, send_again
from services.messaging.webhook_delivery import WebhookDelivery
from services.paging import PageRequest
from services.work.outbox import Outbox
from tests.services.clock import Clock
from tests.services.test_lists import numbers, put


def item(number: int, queue: str, key: str = "x", state: str = WorkState.SENT) -> OutboxItem:
    return OutboxItem(id=number, queue=queue, account="a", key=key, body='{"id": "e"}', state=state, attempts=3)


def _listed(session: Session, page: PageRequest, **wanted: Any) -> Any:
    values: dict[str, Any] = {"accounts": ["a", "b"], "state": None, "to": "", **wanted}
    return list_messages(session, values["accounts"], values["state"], values["to"], page, values.get("ids", ()))


async def test_messages_are_filtered(sqlite_store: Store) -> None:
    await put(
        sqlite_store,
        item(1, "wx:a", "wxid_song"),
        item(2, "wx:b", "wxid_wu", WorkState.FAILED),
        item(3, "wx:c", "wxid_song"),
        item(4, "hook:a", "wxid_song"),
        item(5, "wx:a", "100%"),
        item(6, "wx:a", "1000"),
    )
    for wanted, found in (
        ({}, [6, 5, 2, 1]),
        ({"accounts": ["a"]}, [6, 5, 1]),
        ({"accounts": []}, []),
        ({"state": WorkState.FAILED}, [2]),
        ({"to": "song"}, [1]),
        ({"to": "100%"}, [5]),
        ({"to": "song", "ids": ["wxid_wu"]}, [2, 1]),
        ({"ids": ["wxid_wu"]}, [6, 5, 2, 1]),
    ):
        assert await numbers(sqlite_store, partial(_listed, **wanted)) == found, wanted


class Sent:
    """An outbox that delivers nothing."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.outbox, self.audit = Outbox(store, clock), Audit(store, clock)
        self.http = HttpClient()
        hooks = [
            WebhookSettings(name="erp", url="https://erp.test/hook", secret="our-hook-secrets-2026"),
            WebhookSettings(name="crm", url="https://crm.test/hook?key=1", secret="our-hook-secrets-2026"),
        ]
        self.hooks = WebhookDelivery(self.outbox, store, self.audit, self.http, hooks, clock)
        self.outbox.serve("wx", self._hold, is_open=lambda _name: False)

    async def _hold(self, _job: object) -> str:
        return ""

    async def message_again(self, number: int) -> bool:
        return await self.store.write(lambda s: send_again(s, self.outbox, self.audit, number, "rest:erp"))

    async def event_again(self, number: int) -> tuple[int | None, bool]:
        resent = await self.store.write(lambda s: self.hooks.send_again(s, number, "rest:erp"))
        return resent.item.id, resent.again

    async def states(self) -> list[tuple[str, int]]:
        rows = await self.store.read(lambda s: s.exec(select(OutboxItem)).all())
        return [(row.state, row.attempts) for row in rows]

    async def noted(self) -> list[tuple[str, str, str, str, str]]:
        rows = await self.store.read(lambda s: s.exec(select(Action)).all())
        return [(row.account, row.kind, row.who, row.target, row.outcome) for row in rows]


@pytest.fixture
async def sent(sqlite_store: Store, clock: Clock) -> AsyncIterator[Sent]:
    sent = Sent(sqlite_store, clock)
    yield sent
    await sent.outbox.stop(0)
    await sent.http.close()


async def test_failed_messages_are_sent_again(sent: Sent) -> None:
    states = [WorkState.FAILED, WorkState.UNKNOWN, WorkState.SENT, WorkState.QUEUED, WorkState.CANCELLED]
    await put(sent.store, *(item(number, "wx:a", state=state) for number, state in enumerate(states, 1)))
    await put(sent.store, item(6, "hook:erp", state=WorkState.FAILED))
    assert [await sent.message_again(number) for number in range(1, 6)] == [True, True, False, False, False]
    for number in (6, 99):
        with pytest.raises(NotFound, match=f"message {number}"):
            await sent.message_again(number)
    assert (await sent.states())[:3] == [("queued", 0), ("queued", 0), ("sent", 3)]
    assert await sent.noted() == [("a", "message_resend", "rest:erp", n, "done") for n in ("1", "2")]


async def test_failed_events_are_sent_again(sent: Sent) -> None:
    states = [WorkState.FAILED, WorkState.SENT, WorkState.QUEUED]
    await put(sent.store, *(item(number, "hook:erp", state=state) for number, state in enumerate(states, 1)))
    await put(sent.store, item(4, "wx:a", state=WorkState.FAILED))
    assert [await sent.event_again(number) for number in (1, 2, 3)] == [(1, True), (2, False), (3, False)]
    for number in (4, 99):
        with pytest.raises(NotFound, match=f"webhook {number}"):
            await sent.event_again(number)
    assert (await sent.states())[:3] == [("queued", 0), ("sent", 3), ("queued", 3)]
    assert await sent.noted() == [("", "webhook_resend", "rest:erp", "1", "done")]


async def test_newest_hundred_events_are_listed(sent: Sent) -> None:
    await put(sent.store, *(item(number, "hook:erp", state=WorkState.FAILED) for number in range(1, 103)))
    await put(sent.store, item(200, "hook:erp"))
    found = [row.id for row in await sent.hooks.newest_events()]
    assert (len(found), found[0], found[-1]) == (100, 102, 3)
    assert [row.id for row in await sent.hooks.newest_events("sent")] == [200]


async def test_queues_of_earlier_versions_are_renamed(sent: Sent) -> None:
    """They were named by the URL."""
    names = ["hook:https://erp.test/hook", "hook:https://old.test/", "wx:a", "hook:erp"]
    await put(sent.store, *(item(number, name) for number, name in enumerate(names, 1)))
    await sent.hooks.adopt()
    rows = await sent.store.read(lambda s: s.exec(select(OutboxItem)).all())
    assert [row.queue for row in rows] == ["hook:erp", *names[1:]]
