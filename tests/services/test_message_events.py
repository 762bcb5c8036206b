"""Webhook events about messages."""

from __future__ import annotations

from typing import Any

import pytest

from services.work.job import GiveUp, Job
from tests.services.parts import ACCOUNT, XUAN, OpenParts, Parts

HOOK = {"name": "erp", "url": "http://127.0.0.1:9/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw0hBc7Bqyj8ZCY="}


async def open_events(open_parts: OpenParts, *events: str) -> Parts:
    return await open_parts(webhooks=[{**HOOK, **({"events": list(events)} if events else {})}])


async def sent(parts: Parts, key: str, queue: str = "wx", kind: str = "text") -> None:
    job = Job(7, f"{queue}:{ACCOUNT}", key, {"type": kind})
    listener = parts.container._message_events._message_sent
    await parts.write(lambda s: listener(s, job))


async def failed(parts: Parts, key: str, queue: str = "wx") -> None:
    job = Job(8, f"{queue}:{ACCOUNT}", key, {"type": "text"})
    listener = parts.container._message_events._message_failed
    await parts.write(lambda s: listener(s, job, GiveUp("拒收")))


async def events(parts: Parts, type: str) -> list[tuple[str, dict[str, Any]]]:
    return [(job.key, job.body["data"]) for job in await parts.queued("hook") if job.body["type"] == type]


async def test_sent_message_is_reported(open_parts: OpenParts) -> None:
    parts = await open_events(open_parts, "message.sent")
    qun = await parts.group()
    room_id = parts.room_id(qun)
    await sent(parts, XUAN)
    await sent(parts, room_id, kind="link")
    assert await events(parts, "message.sent") == [
        (XUAN, {"message": 7, "assistant": ACCOUNT, "to": XUAN, "kind": "text"}),
        (str(qun.number), {"message": 7, "assistant": ACCOUNT, "to": room_id, "kind": "link", "number": qun.number}),
    ]


@pytest.mark.parametrize(("queue", "kind"), [("hook", "text"), ("wx", "leave")])
async def test_other_jobs_are_not_reported(open_parts: OpenParts, queue: str, kind: str) -> None:
    parts = await open_events(open_parts, "message.sent")
    await sent(parts, XUAN, queue, kind)
    assert await parts.queued("hook") == []


@pytest.mark.parametrize(("wanted", "reported"), [("message.failed", 0), ("message.sent", 1)])
async def test_sent_message_is_reported_if_wanted(open_parts: OpenParts, wanted: str, reported: int) -> None:
    parts = await open_events(open_parts, wanted)
    await sent(parts, XUAN)
    assert len(await events(parts, "message.sent")) == reported


async def test_failed_message_is_reported(open_parts: OpenParts) -> None:
    parts = await open_events(open_parts)
    qun = await parts.group()
    room_id = parts.room_id(qun)
    await failed(parts, XUAN)
    await failed(parts, room_id)
    await failed(parts, XUAN, "remove")
    assert await events(parts, "message.failed") == [
        (XUAN, {"message": 8, "assistant": ACCOUNT, "to": XUAN, "error": "拒收"}),
        (str(qun.number), {"message": 8, "assistant": ACCOUNT, "to": room_id, "error": "拒收", "number": qun.number}),
    ]


async def test_listeners_are_registered(open_parts: OpenParts) -> None:
    parts = await open_events(open_parts)
    results = parts.container.outbox.results
    assert parts.container._message_events._message_sent in results._on_sent
    assert parts.container._message_events._message_failed in results._on_failed
