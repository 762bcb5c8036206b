"""Creation of rooms: the third person, the call, the pace, and what WeChat shows afterwards."""

from __future__ import annotations

import pytest
from sqlmodel import select

from errors import (
    AssistantOffline,
    BotError,
    GroupNotMade,
    TooManyRequests,
    WeChatError,
    WeChatOffline,
    WeChatRefused,
    WeChatTooFast,
    WeChatUnknown,
)
from models.durable import Outcome
from models.groups import Qun, QunRoom, QunState
from tests.doubles import SELF
from tests.services.created_rooms import TOPIC, MakingWeChat, create, opened, refused, row_of
from tests.services.parts import ACCOUNT, SONG, XUAN, ZHI, OpenParts
from tests.services.room_wechat import actions
from wechat.interface import State

# ---- the third person ----


@pytest.mark.parametrize(
    ("companions", "chosen"),
    [(["智多星"], ZHI), (["无名", "黑旋风"], XUAN), (["宋公明", "黑旋风"], XUAN), (["双", "智多星"], ZHI)],
)
async def test_companion_is_the_first_unique_friend(open_parts: OpenParts, companions: list[str], chosen: str) -> None:
    parts, wechat = await opened(open_parts, companions=companions)
    for contact_id in ("wxid_twin1", "wxid_twin2"):
        wechat.knows(contact_id, "双")
    assert (await create(parts)).companion_id == chosen
    assert wechat.asked == [((SONG, chosen), TOPIC)]


@pytest.mark.parametrize("name", ["无名", "宋公明", "小微", "双", "陌生人"])
async def test_without_a_companion_no_room_is_created(open_parts: OpenParts, name: str) -> None:
    """Unknown, the owner, the assistant itself, two people, and no friend."""
    parts, wechat = await opened(open_parts, companions=[name])
    wechat.knows(SELF, "小微")
    wechat.knows("wxid_stranger", "陌生人", friend=False)
    for contact_id in ("wxid_twin1", "wxid_twin2"):
        wechat.knows(contact_id, "双")
    assert name in (await refused(parts, GroupNotMade)).detail
    assert wechat.asked == []


async def test_next_room_has_a_companion_of_today(open_parts: OpenParts) -> None:
    parts, wechat = await opened(open_parts, companions=["智多星", "黑旋风"])
    qun = await create(parts)
    wechat.directory.unfriend(ZHI)
    await parts.container.group_lifecycle.open_next_room(qun, "test")
    assert wechat.asked[1] == ((SONG, XUAN), f"{TOPIC}·2")
    kept = parts.container.groups.by_number(qun.number)
    assert kept is not None and kept.companion_id == XUAN


async def test_next_room_has_the_former_companion_if_there_is_no_other(open_parts: OpenParts) -> None:
    parts, wechat = await opened(open_parts)
    qun = await create(parts)
    wechat.directory.unfriend(ZHI)
    await parts.container.group_lifecycle.open_next_room(qun, "test")
    assert wechat.asked[1][0] == (SONG, ZHI)


# ---- the call ----


async def test_creation_is_recorded(open_parts: OpenParts) -> None:
    parts, _ = await opened(open_parts)
    qun = await create(parts)
    row = row_of(parts)
    assert (row.state, row.topic, row.asked_at, row.seen_before) == (QunState.ACTIVE, TOPIC, parts.clock.now, [])
    (entry,) = await actions(parts, "group")
    assert (entry.who, entry.target, entry.detail) == ("person:x", str(qun.number), {"topic": TOPIC})
    assert (entry.outcome, entry.seen) == (Outcome.DONE, parts.room_id(qun))


async def test_offline_account_creates_nothing(open_parts: OpenParts) -> None:
    parts, wechat = await opened(open_parts)
    await parts.container.group_lifecycle.prepare("1", "宋公明", ACCOUNT)
    wechat.state = State.CONNECTING
    assert (await refused(parts, AssistantOffline)).retry_after == 5.0
    assert wechat.asked == []


@pytest.mark.parametrize(
    ("error", "raised", "retry_after"),
    [
        (WeChatOffline("RoomCreate"), AssistantOffline, 5.0),
        (WeChatTooFast("RoomCreate", "操作过于频繁"), TooManyRequests, 60),
        (WeChatRefused("RoomCreate", "不行"), GroupNotMade, None),
    ],
)
async def test_rejected_creation_is_retried(
    open_parts: OpenParts, error: WeChatError, raised: type[BotError], retry_after: float | None
) -> None:
    parts, wechat = await opened(open_parts)
    wechat.fails["create_room"] = error
    caught = await refused(parts, raised)
    assert (caught.retry_after, caught.__cause__) == (retry_after, error)
    (entry,) = await actions(parts, "group")
    assert (entry.outcome, entry.seen) == (Outcome.FAILED, str(error))
    slow = parts.container.accounts.rate_limiter(ACCOUNT).slow_down_factor
    assert slow == (2.0 if isinstance(error, WeChatTooFast) else 1.0)
    kept = isinstance(error, WeChatRefused) and not isinstance(error, WeChatTooFast)
    assert [qun.state for qun in parts.container.groups] == [QunState.MAKING] * kept, "it may exist in WeChat"
    wechat.fails.clear()
    parts.clock.now += 9
    await create(parts)
    assert len(wechat.asked) == 2
    assert row_of(parts).asked_at == parts.clock.now


async def test_rejection_after_a_lost_response_keeps_the_unfinished_group(open_parts: OpenParts) -> None:
    """The room of the first call is found later, although the second call was certainly not carried out."""
    parts, wechat = await opened(open_parts)
    wechat.lost, wechat.made = True, False
    await refused(parts, GroupNotMade)
    asked_at = row_of(parts).asked_at
    wechat.lost = False
    wechat.fails["create_room"] = WeChatTooFast("RoomCreate", "操作过于频繁")
    parts.clock.now += 9
    await refused(parts, TooManyRequests)
    assert (row_of(parts).state, row_of(parts).asked_at) == (QunState.MAKING, asked_at)


# ---- the pace ----


@pytest.mark.parametrize(("seconds", "refused_"), [(30.0, True), (10.5, True), (10.0, False)])
async def test_too_long_a_wait_is_rejected(
    open_parts: OpenParts, monkeypatch: pytest.MonkeyPatch, seconds: float, refused_: bool
) -> None:
    waits: list[float] = []

    async def sleep(wait: float) -> None:
        waits.append(wait)

    monkeypatch.setattr("services.groups.room_creation.asyncio.sleep", sleep)
    wechat = MakingWeChat()
    pacing = {"enabled": True, "group_seconds": seconds, "request_seconds": 10}
    parts = await open_parts(wechat, pacing=pacing)
    await create(parts)
    if refused_:
        with pytest.raises(TooManyRequests) as caught:
            await create(parts, "2")
        assert caught.value.retry_after == seconds
        assert len(wechat.asked) == 1
        assert len(await actions(parts, "group")) == 1
        assert [qun.code for qun in parts.container.groups] == ["1"], "the rejected request leaves nothing"
        assert await parts.read(lambda s: [len(s.exec(select(table)).all()) for table in (Qun, QunRoom)]) == [1, 1]
    else:
        await create(parts, "2")
        assert seconds in waits


# ---- what WeChat shows of the new room ----


async def test_members_may_appear_late(open_parts: OpenParts) -> None:
    parts, wechat = await opened(open_parts)
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        members = wechat.directory.rooms["room-1@chatroom"].member_ids
        (members.add if len(looks) == 3 else members.discard)(SONG)

    wechat.during["room"] = look
    await create(parts)
    assert len(looks) == 3
    assert wechat.fresh == [True] * 3


async def test_room_without_its_owner_is_not_made(open_parts: OpenParts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.groups.room_creation.SHOWN_TIMEOUT", 0.0)
    parts, wechat = await opened(open_parts)
    wechat.during["room"] = lambda: wechat.directory.rooms["room-1@chatroom"].member_ids.discard(SONG)
    assert "does not show its owner" in (await refused(parts, GroupNotMade)).detail
    assert row_of(parts).room_id == "room-1@chatroom"
    wechat.during.clear()
    wechat.directory.rooms["room-1@chatroom"].member_ids.add(SONG)
    await create(parts)
    assert len(wechat.asked) == 1, "only its members are read again"


@pytest.mark.parametrize(("shown", "corrected"), [(TOPIC, False), (f" {TOPIC}", False), ("", True), ("别的", True)])
async def test_topic_is_set_if_it_is_not_shown(open_parts: OpenParts, shown: str, corrected: bool) -> None:
    parts, wechat = await opened(open_parts)
    wechat.during["room"] = lambda: wechat.directory.set_topic_of("room-1@chatroom", shown)
    await create(parts)
    assert wechat.arguments == ([("topic", "room-1@chatroom", TOPIC)] if corrected else [])


async def test_unreadable_room_is_not_made(open_parts: OpenParts) -> None:
    parts, wechat = await opened(open_parts)
    wechat.fails["room"] = WeChatUnknown("Room", "no answer")
    await refused(parts, GroupNotMade)
    assert row_of(parts).state == QunState.MAKING
