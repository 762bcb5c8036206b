"""Timed messages: when they are due, and that each is queued once."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from errors import InvalidParameter, NotFound
from models.rules import TimedMessage
from services.outreach.timed_messages import TooManyTimed, invalid_fields, trigger, weekdays
from tests.services.parts import ACCOUNT, Parts
from tests.services.room_wechat import actions
from tests.services.test_lists import numbers

MAX_PER_GROUP = 20

ZONE = ZoneInfo("Asia/Shanghai")
DAY = 86400.0


async def add(parts: Parts, cron: str = "0 9 * * *", text: str = "早上好", code: str = "1") -> TimedMessage:
    qun = parts.container.groups.by_code(code) or await parts.group(code)
    timed = parts.container.timed_messages
    return await parts.write(partial(timed.add, qun=qun, cron=cron, text=text, actor="person:x"))


async def rows(parts: Parts) -> list[TimedMessage]:
    return list(await parts.read(lambda s: s.exec(select(TimedMessage)).all()))


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("*", "*"),
        ("0", "sun"),
        ("7", "sun"),
        ("1-5", "mon,tue,wed,thu,fri"),
        ("5-7", "fri,sat,sun"),
        ("1,3,1", "mon,wed"),
        ("*/2", "sun,tue,thu,sat"),
        ("1-5/2", "mon,wed,fri"),
        ("3/2", "wed"),
        ("MON", "mon"),
        ("8", "8"),
        ("1,fri", "1,fri"),
    ],
)
def test_weekdays_are_counted_from_sunday(field: str, names: str) -> None:
    assert weekdays(field) == names


def test_reversed_weekdays_are_invalid() -> None:
    with pytest.raises(ValueError, match="5-1: the first day is after the last"):
        weekdays("5-1")


@pytest.mark.parametrize(
    ("cron", "wrong"),
    [
        ("0 9 * * *", []),
        ("60 9 * * *", [0]),
        ("60 24 32 13 9", [0, 1, 2, 3, 4]),
        ("0 9 * * 5-1", [4]),
        ("x", [0]),
        ("0 9 * *", [0, 1, 2, 3]),
    ],
)
def test_invalid_fields_are_named(cron: str, wrong: list[int]) -> None:
    assert invalid_fields(cron, ZONE) == wrong


def _next(cron: str, now: datetime) -> str:
    due = trigger(cron, ZONE).get_next_fire_time(None, now)
    return due.strftime("%m-%d %H:%M") if due else ""


@pytest.mark.parametrize(
    ("cron", "due"),
    [
        ("0 9 * * *", "03-04 09:00"),
        ("30 12 * * *", "03-04 12:30"),
        ("30 8 * * *", "03-05 08:30"),
        ("0 9 10 * 5", "03-06 09:00"),  # Friday, or the 10th
        ("0 9 5 * 5", "03-05 09:00"),
        ("0 9 */10 * 5", "05-01 09:00"),  # with a star both must match
        ("0 9 10 * *", "03-10 09:00"),
        ("0 9 * * 5", "03-06 09:00"),
    ],
)
def test_day_and_weekday_are_alternatives(cron: str, due: str) -> None:
    assert _next(cron, datetime(2026, 3, 4, 9, 0, tzinfo=ZONE)) == due


async def test_message_is_added_with_its_next_time(parts: Parts) -> None:
    row = await add(parts, text="x" * 300)
    tomorrow = datetime.fromtimestamp(row.next_at, ZONE)
    assert (tomorrow.hour, tomorrow.minute) == (9, 0)
    assert 0 <= row.next_at - parts.clock.now < DAY
    assert (row.cron, row.by, row.created_at) == ("0 9 * * *", "person:x", parts.clock.now)
    (action,) = await actions(parts, "timed")
    assert (action.account, action.who, action.target, action.outcome) == (ACCOUNT, "person:x", str(row.id), "done")
    assert action.detail == {"number": str(row.number), "after": ("0 9 * * * " + "x" * 300)[:200]}


@pytest.mark.parametrize("cron", ["60 9 * * *", "0 9 30 2 *", "", "0 9 * * 5-1"])
async def test_line_that_is_never_due_is_rejected(parts: Parts, cron: str) -> None:
    with pytest.raises(InvalidParameter, match="cron"):
        await add(parts, cron)


async def test_number_per_group_is_limited(parts: Parts) -> None:
    for _ in range(MAX_PER_GROUP):
        await add(parts)
    with pytest.raises(TooManyTimed):
        await add(parts)
    await add(parts, code="2")
    qun = parts.container.groups.by_code("1")
    assert qun is not None
    assert [row.id for row in await parts.container.timed_messages.of(qun)] == list(range(1, MAX_PER_GROUP + 1))
    assert (await numbers(parts.container.store, parts.container.timed_messages.list_page, 9))[:2] == [21, 20]


async def test_message_of_the_group_is_removed(parts: Parts) -> None:
    timed = parts.container.timed_messages
    first, other = await add(parts), await add(parts, code="2")
    for timed_id, number in ((99, None), (other.id, first.number)):
        with pytest.raises(NotFound, match="timed message"):
            await parts.write(partial(timed.remove, timed_id=timed_id or 0, actor="x", number=number))
    await parts.write(partial(timed.remove, timed_id=first.id or 0, actor="person:y", number=first.number))
    await parts.write(partial(timed.remove, timed_id=other.id or 0, actor="person:y"))
    assert await rows(parts) == []
    found = await actions(parts, "timed_removed")
    assert [(entry.account, entry.who, entry.target) for entry in found] == [
        (ACCOUNT, "person:y", n) for n in ("1", "2")
    ]
    assert found[0].detail == {"number": str(first.number), "before": "0 9 * * * 早上好"}
    gone = await add(parts)
    parts.container.groups.drop(ACCOUNT)
    with pytest.raises(NotFound):
        await parts.write(partial(timed.remove, timed_id=gone.id or 0, actor="x"))


async def test_due_message_is_queued_once(parts: Parts) -> None:
    timed, clock = parts.container.timed_messages, parts.clock
    row = await add(parts)
    qun = parts.container.groups.by_code("1")
    assert qun is not None
    assert await timed.run() == 0
    clock.now = row.next_at - 1
    assert await timed.run() == 0
    clock.now = row.next_at
    assert [await timed.run() for _ in range(2)] == [1, 0]
    assert await parts.queued_texts(parts.room_id(qun)) == ["早上好"]
    assert (await rows(parts))[0].next_at == row.next_at + DAY
    job = (await parts.queued())[-1]
    assert job.key == parts.room_id(qun)
    clock.now += 10 * DAY
    assert await timed.run() == 1, "missed times count as one"
    clock.now += DAY
    assert await parts.write(lambda s: timed._queue(s, [row])) == 0, "another process has queued it"


async def test_message_without_a_next_time_rests(parts: Parts) -> None:
    timed, clock = parts.container.timed_messages, parts.clock
    row = await add(parts)

    def impossible(cron: str) -> float | None:
        return None

    timed.next = impossible  # type: ignore[method-assign]
    clock.now = row.next_at
    assert await timed.run() == 1
    assert (await rows(parts))[0].next_at == 9e15


async def test_group_of_another_process_is_left_alone(parts: Parts) -> None:
    row = await add(parts)
    parts.container.groups.drop(ACCOUNT)
    parts.clock.now = row.next_at
    assert await parts.container.timed_messages.run() == 0
    assert (await rows(parts))[0].next_at == row.next_at
