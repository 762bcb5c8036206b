"""Member lists are read again where the cached ones may be outdated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from errors import InviteFailed, WeChatOffline, WeChatUnknown
from models.groups import Qun
from services.groups import roster_refresh
from tests.services.parts import SONG, XUAN, OpenParts, Parts
from tests.services.room_wechat import RoomWeChat, open_rooms

HOUR = 3600.0


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


async def opened(open_parts: OpenParts, read: float | None = None) -> tuple[Parts, RoomWeChat, Qun]:
    """A group whose members were read so many seconds ago."""
    parts, wechat = await open_rooms(open_parts)
    qun = await parts.group()
    if read is not None:
        wechat.directory._read[parts.room_id(qun)] = ago(read)
    wechat.calls.clear()
    wechat.fresh.clear()
    return parts, wechat, qun


async def room_of(parts: Parts, qun: Qun, who: str, expected_in: str | None = None) -> str | None:
    room = await parts.container.memberships._roster.room_of(qun, who, expected_in)
    return room.id if room else None


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("services.groups.roster_refresh.asyncio.sleep", sleep)
    return waited


@pytest.mark.parametrize(("read", "readings"), [(None, [True]), (9000.0, [])])
async def test_rooms_not_read_since_the_start_are_read(
    open_parts: OpenParts, read: float | None, readings: list[bool]
) -> None:
    parts, wechat, qun = await opened(open_parts, read)
    await parts.container.memberships._roster.read_unread_rooms(qun)
    assert wechat.fresh == readings


@pytest.mark.parametrize(
    ("read", "moved", "readings"),
    [(0.0, None, 0), (60.0, None, 1), (-60.0, None, 1), (60.0, 0.0, 0), (60.0, 5.0, 0), (2.5, 10.5, 1)],
)
async def test_recent_list_or_event_is_believed(
    open_parts: OpenParts, monkeypatch: pytest.MonkeyPatch, read: float, moved: float | None, readings: int
) -> None:
    """Ages in hours instead of seconds, for slow machines."""
    for name, seconds in (("LIST_MAX_AGE", 2), ("EVENT_MAX_AGE", 10)):
        assert getattr(roster_refresh, name) == timedelta(seconds=seconds)
        monkeypatch.setattr(roster_refresh, name, timedelta(hours=seconds))
    parts, wechat, qun = await opened(open_parts, read * HOUR)
    room_id = parts.room_id(qun)
    if moved is not None:
        wechat.directory._last_moves[room_id] = {SONG: ago(moved * HOUR)}
    assert await room_of(parts, qun, SONG) == room_id
    assert wechat.fresh == [True] * readings


async def test_nothing_is_read_for_a_person_in_no_known_room(open_parts: OpenParts) -> None:
    parts, wechat, qun = await opened(open_parts, 60)
    assert await room_of(parts, qun, XUAN) is None
    assert await room_of(parts, qun, XUAN, "other@chatroom") is None
    assert wechat.fresh == []
    wechat.during["room"] = lambda: parts.members(qun).add(XUAN)
    assert await room_of(parts, qun, XUAN, parts.room_id(qun)) == parts.room_id(qun)
    assert wechat.fresh == [True]


@pytest.mark.parametrize(("shown_again", "gone"), [(True, False), (False, True)])
async def test_list_without_the_person_is_read_twice(
    open_parts: OpenParts, pauses: list[float], shown_again: bool, gone: bool
) -> None:
    """The first list may be only a part; the directory keeps who is missing once."""
    parts, wechat, qun = await opened(open_parts, 60)
    room_id = parts.room_id(qun)
    full = wechat.directory.rooms[room_id]
    lists = [full.member_ids - {SONG}, full.member_ids if shown_again else full.member_ids - {SONG}]

    async def room(room_id: str, *, fresh: bool = False) -> object:
        return type(full)(room_id, full.topic, full.owner_id, (), set(lists.pop(0)))

    wechat.room = room  # type: ignore[assignment, method-assign]
    assert await room_of(parts, qun, SONG) == (None if gone else room_id)
    assert (lists, [pause for pause in pauses if pause]) == ([], [1.0])


@pytest.mark.parametrize("offline", [True, False])
async def test_unreadable_room_is_an_error(open_parts: OpenParts, offline: bool) -> None:
    parts, wechat, qun = await opened(open_parts)
    wechat.fails["room"] = WeChatOffline("Room") if offline else WeChatUnknown("Room", "no answer")
    with pytest.raises(WeChatOffline if offline else InviteFailed) as caught:
        await parts.container.memberships._roster.read_unread_rooms(qun)
    assert offline or "cannot be read" in str(caught.value)
