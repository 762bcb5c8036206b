"""The events of a feed: stored ones by number, and those that are not stored between them."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from pathlib import Path

from protocol import puppet_pb2 as pb
from relay.feed import BATCH, RECENT, Feed, NumberedEvent
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
    async with asyncio.timeout(SECONDS), aclosing(feed.subscribe(after)) as following:
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
    async with asyncio.timeout(SECONDS), aclosing(feed.subscribe(0)) as following:
        events += await anext(following)
        await _put(feed, journal, LOGIN, _message(2))
        await feed.put([LOGOUT])
        while len(events) < 4:
            events += await anext(following)
    assert events == [(1, _message(1)), (0, LOGIN), (2, _message(2)), (0, LOGOUT)]


async def test_deleted_events_hold_up_no_others(journal: Journal, tmp_path: Path) -> None:
    """All events have expired while the relay had no client: what comes next is read all the same."""
    await _put(Feed(journal), journal, _message(1), _message(2))
    await journal.prune(time.time() + 1)
    feed = Feed(journal)  # of the next process
    async with asyncio.timeout(SECONDS), aclosing(feed.subscribe(0)) as following:
        reading = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0)
        await feed.put([LOGIN])
        assert await reading == [(0, LOGIN)]
