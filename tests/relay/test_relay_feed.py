"""The events of a feed: stored ones by number, and those that are not stored between them."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from protocol import puppet_pb2 as pb
from relay.feed import BATCH, MAX_UNWRITTEN, RECENT, Feed, NumberedEvent
from relay.journal import Journal
from tests.waiting import SECONDS, until


def _message(number: int) -> bytes:
    return pb.EventResponse(type=pb.EVENT_MESSAGE, payload=f'{{"messageId":"m{number}"}}').SerializeToString()


LOGIN = pb.EventResponse(type=pb.EVENT_LOGIN, payload='{"contactId":"bot"}').SerializeToString()
LOGOUT = pb.EventResponse(type=pb.EVENT_LOGOUT, payload="{}").SerializeToString()


async def _put(feed: Feed, journal: Journal, *bodies: bytes) -> None:
    before = journal.stored
    await feed.put(bodies)
    await until(lambda: journal.stored > before)


async def _take(feed: Feed, after: int, count: int) -> list[NumberedEvent]:
    events: list[NumberedEvent] = []
    with feed.subscribe(after) as following:
        async with asyncio.timeout(SECONDS):
            async for some in following:
                events += some
                if len(events) >= count:
                    break
    return events


async def test_many_events_arrive_once_and_in_order(journal: Journal) -> None:
    """From the disk at first, and then from memory."""
    feed, count = Feed(journal), RECENT + 2 * BATCH + 10
    bodies = [_message(number) for number in range(1, count + 1)]
    await _put(feed, journal, *bodies)
    assert await _take(feed, 0, count) == list(enumerate(bodies, 1))
    assert await _take(feed, count - 3, 3) == list(enumerate(bodies, 1))[-3:]


async def test_events_that_are_not_stored_keep_their_place(journal: Journal) -> None:
    feed = Feed(journal)
    await _put(feed, journal, _message(1))
    events: list[NumberedEvent] = []
    with feed.subscribe(0) as following:
        async with asyncio.timeout(SECONDS):
            events += await anext(following)
            await _put(feed, journal, LOGIN, _message(2))
            await feed.put([LOGOUT])
            while len(events) < 4:
                events += await anext(following)
    assert events == [(1, _message(1)), (0, LOGIN), (2, _message(2)), (0, LOGOUT)]


async def test_deleted_events_hold_up_no_others(journal: Journal, tmp_path: Path) -> None:
    """All events have expired while the relay had no client: what comes next is read all the same."""
    await _put(Feed(journal), journal, _message(1), _message(2))
    await journal.prune(journal.clock.now + 1)
    feed = Feed(journal)  # of the next process
    with feed.subscribe(0) as following:
        reading = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0)
        await feed.put([LOGIN])
        assert await asyncio.wait_for(reading, SECONDS) == [(0, LOGIN)]


async def test_event_that_cannot_be_decoded_is_skipped(journal: Journal) -> None:
    feed = Feed(journal)
    await _put(feed, journal, b"\xff\xff", _message(1))
    assert await _take(feed, 0, 1) == [(1, _message(1))]


async def test_events_are_stored_when_the_gateway_is_lost_while_the_disk_is_slow(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were received: the gateway will not send them again."""
    feed, written = Feed(journal), threading.Event()
    commit = journal._commit
    monkeypatch.setattr(journal, "_commit", lambda *batch: written.wait(SECONDS) and commit(*batch))
    await feed.put([_message(number) for number in range(MAX_UNWRITTEN)])
    waiting = asyncio.create_task(feed.put([_message(MAX_UNWRITTEN)]))
    await asyncio.sleep(0)
    assert not waiting.done(), "the gateway has to wait"
    waiting.cancel()
    written.set()
    await asyncio.wait({waiting})
    await until(lambda: journal.stored == MAX_UNWRITTEN + 1)


async def test_event_during_the_first_events_of_a_client_is_not_missed(journal: Journal) -> None:
    """A logout while the client is told of the login."""
    feed = Feed(journal)
    await feed.put([LOGIN])
    with feed.subscribe(0) as following:
        await feed.put([LOGOUT])  # before the first read
        assert await asyncio.wait_for(anext(following), SECONDS) == [(0, LOGOUT)]
