"""The feed of changes, pages, clocks, and JSON."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from errors import InvalidParameter
from models.row_id import MAX_ROW_ID
from services import changes, strict_json
from services.changes import Change, ChangeFeed, ChangeKind
from services.clock import DAY, HOUR, MINUTE, LocalTime
from services.paging import Page, PageRequest, page_of

MAX_LIMIT = 200
DEFAULT_LIMIT = 50

TICKET = ChangeKind.TICKET


async def test_local_changes_are_announced_to_other_processes() -> None:
    told: list[object] = []
    feed = ChangeFeed(lambda kind, facts: told.append((kind, facts)))
    feed.publish(TICKET, id=1)
    feed.receive(ChangeKind.ACCOUNT, {"account": "a"})
    assert told == [(TICKET, {"id": 1})]
    assert feed.last == 2
    assert feed.after(0) == [Change(1, TICKET, {"id": 1}), Change(2, ChangeKind.ACCOUNT, {"account": "a"})]
    assert [change.number for change in feed.after(1)] == [2]
    assert feed.after(2) == []


async def test_ids_belong_to_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MAX_KEPT", 3)
    feed, other = ChangeFeed(), ChangeFeed()
    assert feed.number_of(feed.id_of(0)) == 0
    assert feed.number_of(feed.id_of(1)) is None, "there is no such change yet"
    for number in range(5):
        feed.publish(TICKET, id=number)
    assert [feed.number_of(feed.id_of(number)) for number in range(7)] == [None, None, 2, 3, 4, 5, None]
    epoch = feed.id_of(5).partition("-")[0]
    assert len(epoch) == 8
    assert [feed.number_of(id) for id in (other.id_of(3), "", "5", f"{epoch}-", f"{epoch}-x", f"{epoch}-³")] == [
        None
    ] * 6
    assert feed.number_of(f"{epoch}-{'0' * 14}5") == 5
    assert feed.number_of(f"{epoch}-{'0' * 15}5") is None


async def test_next_change_is_awaited() -> None:
    feed = ChangeFeed()
    assert await feed.wait_after(0, 0.01) == []
    waiting = [asyncio.create_task(feed.wait_after(0, 1000)) for _ in range(2)]
    await asyncio.sleep(0)
    feed.publish(TICKET, id=1)
    assert [[change.number for change in found] for found in await asyncio.gather(*waiting)] == [[1], [1]]
    later = asyncio.create_task(feed.wait_after(1, 1000))
    await asyncio.sleep(0)
    assert not later.done(), "it waits for the second one"
    feed.publish(TICKET, id=2)
    assert [change.number for change in await later] == [2]
    assert [change.number for change in await feed.wait_after(0, 1000)] == [1, 2], "at once"


# ---- pages ----


@pytest.mark.parametrize("limit", [1, MAX_LIMIT])
def test_limit_is_within_its_bounds(limit: int) -> None:
    assert PageRequest.parse(str(limit), None) == PageRequest(limit)


def test_defaults_of_a_page() -> None:
    assert PageRequest.parse(None, None) == PageRequest(DEFAULT_LIMIT, None) == PageRequest()
    assert (DEFAULT_LIMIT, MAX_LIMIT) == (50, 200)
    assert PageRequest.parse("3", "7") == PageRequest(3, 7)
    assert PageRequest.parse(None, str(MAX_ROW_ID)).before == MAX_ROW_ID


@pytest.mark.parametrize("after", [str(MAX_ROW_ID + 1), "1" * (len(str(MAX_ROW_ID)) + 1), "³", "-1", " 1"])
def test_invalid_cursor_is_rejected(after: str) -> None:
    with pytest.raises(InvalidParameter, match="after"):
        PageRequest.parse(None, after)
    with pytest.raises(InvalidParameter, match="limit"):
        PageRequest.parse(after, None)


def test_page_has_a_successor_only_if_there_are_more_rows() -> None:
    wanted = PageRequest(2)
    assert page_of([9, 8, 7], wanted, lambda row: row) == Page([9, 8], "8")
    assert page_of([9, 8], wanted, lambda row: row) == Page([9, 8], None)
    assert page_of([], wanted, lambda row: row) == Page([], None)
    assert Page([1, 2], "2").map(str) == Page(["1", "2"], "2")


# ---- clocks and JSON ----


def test_local_time_is_that_of_the_zone() -> None:
    local = LocalTime(ZoneInfo("Asia/Shanghai"), lambda: datetime(2026, 1, 1, 17, 30, 5, 7, tzinfo=UTC).timestamp())
    assert local.now().isoformat() == "2026-01-02T01:30:05.000007+08:00"
    assert local.today() == date(2026, 1, 2)
    assert local.start_of_day().isoformat() == "2026-01-02T00:00:00+08:00"
    assert local.at(0).isoformat() == "1970-01-01T08:00:00+08:00"
    assert local.at(DAY + HOUR + MINUTE).isoformat() == "1970-01-02T09:01:00+08:00"
    assert (MINUTE, HOUR, DAY) == (60.0, 3600.0, 86400.0)


def test_only_standard_json_is_accepted() -> None:
    assert strict_json.decode('{"a": [1, 1.5e3, -2.0, null, true]}') == {"a": [1, 1500.0, -2.0, None, True]}
    for text in ("NaN", "[Infinity]", "-Infinity", "1e999", "-1e999", "{"):
        with pytest.raises(ValueError):
            strict_json.decode(text)
    with pytest.raises(ValueError, match="NaN is not JSON"):
        strict_json.decode("NaN")
    with pytest.raises(ValueError, match="cannot represent"):
        strict_json.decode("1e999")
