"""Notifications of other processes, from a real PostgreSQL."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import create_engine, text

from models.db import parse
from services.changes import ChangeFeed, ChangeKind
from services.cluster.leases import CHANNEL
from services.cluster.notifications import ClusterNotifications
from services.cluster.parts import ClusterParts
from tests.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]


# The channel is that of the database: other programs use it, and wxbot in another schema.
FOREIGN = (
    "",
    "of another program",
    "7",
    "[" * 7000,
    '{"changes":7}',
    '{"changes":[7,["ticket"],["ticket",7],[["ticket"],{}],[{},{}]]}',
    '{"from":"other","of":"theirs","free":1,"changes":[["ticket",{"id":8}]]}',
)


async def test_notification_is_received(database: str) -> None:
    feed = ChangeFeed()
    member = SimpleNamespace(id="me", wake=lambda: pytest.fail("the account of another installation was released"))
    parts = cast(
        "ClusterParts",
        SimpleNamespace(leases=SimpleNamespace(installation="ours"), member=member, pending_notifications=None),
    )

    async def changed(_kind: str) -> None:
        """Do nothing."""

    news = ClusterNotifications(database, parts, feed, changed)
    listening = asyncio.create_task(news.listen_forever())
    await until(news._poll_now.is_set, "it listens, and looks at what it has missed")
    news._poll_now.clear()
    engine = create_engine(parse(database))
    of_a_member = '{"from":"other","of":"ours","changes":[["ticket",{"id":7}]]}'

    def notify() -> None:
        for payload in (*FOREIGN, of_a_member):
            with engine.begin() as connection:
                values = {"channel": CHANNEL, "payload": payload}
                connection.execute(text("SELECT pg_notify(:channel, :payload)"), values)

    await asyncio.to_thread(notify)
    await until(lambda: feed.last == 1 or listening.done())
    assert [(change.kind, change.facts) for change in feed.after(0)] == [(ChangeKind.TICKET, {"id": 7})]
    assert news._poll_now.is_set()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    engine.dispose()
