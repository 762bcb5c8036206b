"""How the inbox reads payloads: retries, refusals and time limits."""

from __future__ import annotations

import asyncio

import pytest

from errors import WeChatOffline, WeChatRefused, WeChatUnknown
from services.work import arrival_sequencer, payload_reader
from tests.services.inbox_harness import InboxHarness, harness, start_harness, wait_idle
from tests.waiting import until

__all__ = ["harness", "start_harness"]


async def test_temporarily_refused_payload_is_read(harness: InboxHarness) -> None:
    harness.fails["x-1"] = [WeChatRefused("MessagePayload", "14 UNAVAILABLE")] * (payload_reader.MAX_TRIES - 1)
    await harness.say("x-1", "x-2")
    await wait_idle(harness)
    assert sorted(harness.handled) == ["x-1", "x-2"]


async def read_without_waits(harness: InboxHarness, id: str, reads: int) -> None:
    """Run a number of attempts to read an event's payload, without the waits between them."""
    for tries in range(1, reads):
        await until(lambda tries=tries: harness.read.count(id) == tries, "tried")
        await asyncio.sleep(0)  # so that it has begun to wait
        harness.inbox.wake()


@pytest.mark.parametrize("kind", [WeChatRefused, WeChatUnknown])
async def test_fifth_consecutive_refusal_is_final(
    harness: InboxHarness, kind: type[WeChatRefused | WeChatUnknown]
) -> None:
    harness.fails["x-1"] = [kind("MessagePayload", "no such message") for _ in range(9)]
    await harness.say("x-1")
    await read_without_waits(harness, "x-1", 5)
    await wait_idle(harness)
    assert harness.read.count("x-1") == 5
    assert harness.handled == []
    await harness.inbox.stop(1)
    assert await harness.states() == {"x-1": "failed unreadable"}


async def test_refusals_are_reset_by_reconnect(harness: InboxHarness) -> None:
    """Refusals from before it went do not count: it may have been on its way down."""
    refused = [WeChatRefused("MessagePayload", "14 UNAVAILABLE") for _ in range(8)]
    harness.fails["x-1"] = [*refused[:4], WeChatOffline("MessagePayload"), *refused[4:]]
    await harness.say("x-1")
    await read_without_waits(harness, "x-1", 10)
    await wait_idle(harness)
    assert harness.read.count("x-1") == 10
    assert harness.handled == ["x-1"]


async def test_disconnection_does_not_count_as_refusal(harness: InboxHarness) -> None:
    refused = [WeChatRefused("MessagePayload", "14 UNAVAILABLE") for _ in range(4)]
    harness.fails["x-1"] = [WeChatOffline("MessagePayload"), *refused]
    await harness.say("x-1")
    await read_without_waits(harness, "x-1", 6)
    await wait_idle(harness)
    assert harness.handled == ["x-1"]


async def test_payload_retries_back_off_to_five_seconds(harness: InboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(harness.inbox._reader, "_pause", pause)
    harness.fails["x-1"] = [WeChatOffline("MessagePayload") for _ in range(8)]
    await harness.say("x-1")
    await wait_idle(harness)
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0])


async def test_unreadable_payload_is_given_up(harness: InboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_reader, "MAX_TRIES", 2)
    harness.fails["x-1"] = [WeChatRefused("MessagePayload", "no such message")] * 2
    await harness.say("x-1", "x-2", "echo-1")
    await wait_idle(harness)
    assert harness.handled == ["x-2"]
    await harness.inbox.stop(1)
    assert await harness.states() == {"x-1": "failed unreadable", "x-2": "done test", "echo-1": "done ignored"}


async def test_events_wait_while_gateway_is_offline(harness: InboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival_sequencer, "MAX_WAIT", 1000.0)
    monkeypatch.setattr(payload_reader, "FIRST_WAIT", 1000.0)  # until it is woken
    monkeypatch.setattr(payload_reader, "MAX_RETRY_WAIT", 1000.0)
    harness.fails["x-1"] = [WeChatOffline("MessagePayload")] * 5
    await harness.say("x-1", "x-2")
    await read_without_waits(harness, "x-1", 6)
    await wait_idle(harness)
    assert harness.read.count("x-1") == 6
    assert harness.handled == ["x-1", "x-2"]


async def test_payload_that_never_answers_is_given_up(harness: InboxHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_reader, "MAX_TRIES", 2)
    harness.fails["x-1"] = [WeChatUnknown("MessagePayload", "no answer")] * 10
    await harness.say("x-1")
    await wait_idle(harness)
    await harness.inbox.stop(1)
    assert await harness.states() == {"x-1": "failed unreadable"}
