"""Daily totals: counted once, stored, live for today; reading them does not depend on the size of the tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from config.settings import PacingSettings
from models.db import Store
from models.durable import OutboxItem, WorkState
from models.groups import DailyCount
from models.statistics import DayTotal, PacePeak
from models.support import Ticket, TicketState
from services.accounts.registry import Accounts
from services.upkeep.daily_totals import DailyTotals
from tests.databases import database, postgres
from tests.services.test_lists import put, qun
from wechat.rate_limiter import RateLimiter

__all__ = ["database", "postgres"]

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 20, 12, tzinfo=ZONE)


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now.timestamp()


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    store = Store(database)
    await store.open()
    yield store
    await store.close()


def _totals(store: Store, clock: Clock) -> DailyTotals:
    accounts = Accounts({"a": RateLimiter(PacingSettings(messages_per_minute=4), clock)}, [], ())
    accounts._wechats["a"] = object()  # type: ignore[assignment] # only its name is asked for
    return DailyTotals(store, accounts, ZONE, clock)


def _ticket(opened: datetime, answered: float | None = None, mark: int | None = None) -> Ticket:
    at = opened.timestamp()
    done = at + answered if answered is not None else None
    return Ticket(
        account="a",
        contact_id=f"w{at}",
        state=TicketState.CLOSED,
        opened_at=at,
        last_at=at,
        answered_at=done,
        mark=mark,
    )


def _sent(at: datetime, queue: str = "wx:a", state: str = WorkState.SENT) -> OutboxItem:
    return OutboxItem(queue=queue, key="k", body="{}", state=state, done_at=at.timestamp())


async def test_past_days_are_stored_and_today_is_live(store: Store) -> None:
    clock = Clock()
    totals = _totals(store, clock)
    yesterday, minute = NOON - timedelta(days=1), timedelta(minutes=1)
    late = NOON.replace(hour=0, minute=5)  # today here, yesterday in UTC
    await put(
        store, qun(1), qun(2),
        DailyCount(number=1, day="2026-11-19", messages=5, joins=2, leaves=1),
        DailyCount(number=2, day="2026-11-19", messages=7),
        DailyCount(number=1, day="2026-11-20", messages=3),
        _ticket(yesterday, 60, 5), _ticket(yesterday + minute, 180), _ticket(yesterday + 2 * minute), _ticket(late, 30),
        _sent(yesterday), _sent(yesterday), _sent(yesterday, "hook:x"), _sent(late),
        _sent(yesterday, state=WorkState.FAILED),
    )  # fmt: skip
    assert await totals.roll_up() == 30
    *_, before, today = await store.read(totals.read)
    assert (before.day, before.messages, before.joins, before.leaves) == ("2026-11-19", 12, 2, 1)
    assert (before.tickets, before.answered, before.first_answer) == (3, 2, 120.0)
    assert (before.marks, before.mark_sum, before.sent) == (1, 5, 2)
    assert (today.day, today.messages, today.tickets, today.first_answer, today.sent) == ("2026-11-20", 3, 1, 30.0, 1)
    await put(store, DailyCount(number=2, day="2026-11-20", messages=4), _ticket(NOON))
    assert [(day.messages, day.tickets) for day in (await store.read(totals.read))[-1:]] == [(7, 2)]


async def test_empty_day_has_zeros_and_midnight_begins_a_day(store: Store) -> None:
    clock = Clock()
    totals = _totals(store, clock)
    midnight = NOON.replace(hour=0)
    await put(store, _sent(midnight), _ticket(midnight))
    await totals.roll_up()
    *_, before, today = await store.read(totals.read)
    zeros = {"messages": 0, "joins": 0, "leaves": 0, "sent": 0, "tickets": 0, "answered": 0, "marks": 0, "mark_sum": 0}
    assert before.model_dump() == {"day": "2026-11-19", "first_answer": None, **zeros}
    assert today.model_dump() == {"day": "2026-11-20", "first_answer": None, **zeros, "sent": 1, "tickets": 1}


async def test_only_unsettled_days_are_recounted(store: Store) -> None:
    clock = Clock()
    totals = _totals(store, clock)
    old = NOON - timedelta(days=10)
    await put(store, _ticket(old), ticket := _ticket(NOON - timedelta(days=1)))
    await totals.roll_up()
    await store.write(lambda s: s.merge(DayTotal(day="2026-11-10", tickets=99)))  # what was kept stays
    ticket.answered_at = ticket.opened_at + 90
    await store.write(lambda s: s.merge(ticket))
    assert await totals.roll_up() == 3
    by_day = {day.day: day for day in await store.read(totals.read)}
    assert by_day["2026-11-10"].tickets == 99 and by_day["2026-11-19"].first_answer == 90.0
    clock.now += timedelta(days=1)
    assert await totals.roll_up() == 3
    assert len(await store.read(totals.read)) == 30


async def test_daily_peak_of_pace_is_kept(store: Store) -> None:
    clock = Clock()
    totals = _totals(store, clock)
    rate_limiter = totals._accounts.rate_limiter("a")
    assert await totals.record_pace() == 0
    rate_limiter.spend("x")
    rate_limiter.spend("y")
    assert await totals.record_pace() == 1
    clock.now += timedelta(minutes=2)  # nothing is used any more
    assert await totals.record_pace() == 0
    assert [(peak.day, peak.kind, peak.ratio) for peak in await store.read(totals.peaks)] == [
        ("2026-11-20", "message", 0.5)
    ]
    fresh = _totals(store, clock)  # after a restart
    fresh._accounts.rate_limiter("a").spend("x")
    await fresh.record_pace()
    rows = await store.read(lambda s: s.exec(select(PacePeak)).all())
    assert [row.ratio for row in rows] == [0.5]
    clock.now += timedelta(days=1)
    fresh._accounts.rate_limiter("a").spend("x")
    await fresh.record_pace()
    assert [peak.ratio for peak in await store.read(totals.peaks)] == [0.5, 0.25]
