"""Repairs of groups: three a day and kind, and what the owner is told."""

from __future__ import annotations

from typing import Any

import pytest

from config.texts import fill
from errors import WeChatRefused, WeChatTooFast
from models.durable import Outcome
from models.groups import Qun, QunState
from services.clock import DAY
from services.groups.drift import Drift, DriftKind
from tests.services.parts import ACCOUNT, SONG, OpenParts, Parts
from tests.services.room_wechat import RoomWeChat, actions, open_rooms
from wechat.interface import State

WHO = "job:drift_check"


async def drift_of(parts: Parts, kind: DriftKind = DriftKind.TOPIC, shown: str = "别的") -> Drift:
    qun = parts.container.groups.by_number(100001) or await parts.group()
    return Drift(qun, parts.container.groups.rooms(qun)[0], kind, "该有的", shown)


async def repair(parts: Parts, drift: Drift) -> bool:
    return await parts.container.drift_check._repair.repair(drift)


async def note(parts: Parts, drift: Drift, age: float = 0.0, **other: Any) -> None:
    entry: dict[str, Any] = {
        "account": ACCOUNT,
        "kind": drift.kind.value,
        "actor": WHO,
        "target": drift.room.room_id or "",
        **other,
    }
    parts.clock.now -= age
    await parts.write(lambda s: parts.container.audit.record(s, **entry))
    parts.clock.now += age


async def test_topic_is_restored_and_the_owner_told_once_a_day(open_parts: OpenParts) -> None:
    parts, wechat = await open_rooms(open_parts)
    drift = await drift_of(parts)
    number, texts = drift.qun.number, parts.container.config.texts
    told = fill(texts.topic_restored, topic="该有的", number=number, shown="别的")
    wechat.arguments.clear()
    for _ in range(2):
        assert await repair(parts, drift)
        assert await parts.queued_texts(SONG) == [told]
    assert wechat.arguments == [("topic", drift.room.room_id, "该有的")] * 2
    entries = await actions(parts, "topic")
    assert [(entry.who, entry.target, entry.detail, entry.outcome) for entry in entries] == [
        (WHO, drift.room.room_id, {"number": str(number)}, Outcome.DONE)
    ] * 2
    (notice,) = await actions(parts, "topic_restored")
    assert (notice.account, notice.who, notice.target, notice.outcome, notice.detail) == (
        ACCOUNT, WHO, drift.room.room_id, Outcome.DONE, {"number": str(number)},
    )  # fmt: skip
    parts.clock.now += DAY
    await repair(parts, drift)
    assert await parts.queued_texts(SONG) == [told, told]


async def test_missing_topic_is_restored_silently(open_parts: OpenParts) -> None:
    parts, _ = await open_rooms(open_parts)
    assert await repair(parts, await drift_of(parts, shown=""))
    assert await parts.queued_texts(SONG) == []


@pytest.mark.parametrize(("confirms", "outcome"), [(True, Outcome.DONE), (False, Outcome.UNCONFIRMED)])
async def test_announcement_is_restored_silently(open_parts: OpenParts, confirms: bool, outcome: str) -> None:
    parts, wechat = await open_rooms(open_parts)
    drift = await drift_of(parts, DriftKind.ANNOUNCEMENT)
    wechat.arguments.clear()
    wechat.confirms = confirms
    assert await repair(parts, drift)
    assert wechat.arguments == [("announce", drift.room.room_id, "该有的")]
    assert [action.outcome for action in await actions(parts, "announce")] == [outcome]
    assert await parts.queued_texts(SONG) == []


@pytest.mark.parametrize("too_fast", [True, False])
async def test_refused_repair_is_recorded(
    open_parts: OpenParts, too_fast: bool, caplog: pytest.LogCaptureFixture
) -> None:
    parts, wechat = await open_rooms(open_parts)
    drift = await drift_of(parts)
    wechat.fails["set_topic"] = (WeChatTooFast if too_fast else WeChatRefused)("RoomTopic", "不行")
    assert not await repair(parts, drift)
    (entry,) = await actions(parts, "topic")
    assert (entry.outcome, entry.seen) == (Outcome.FAILED, "RoomTopic: 不行")
    assert parts.container.accounts.rate_limiter(ACCOUNT).slow_down_factor == (2.0 if too_fast else 1.0)
    assert f"group {drift.qun.number}: could not restore topic" in caplog.text
    assert await parts.queued_texts(SONG) == []


@pytest.mark.parametrize("kind", list(DriftKind))
async def test_owner_is_told_once_a_day_after_three_repairs(open_parts: OpenParts, kind: DriftKind) -> None:
    parts, wechat = await open_rooms(open_parts)
    drift = await drift_of(parts, kind, shown="")
    texts = parts.container.config.texts
    what = texts.what_topic if kind is DriftKind.TOPIC else texts.what_announcement
    told = fill(texts.drift_unrepaired, topic=drift.room.topic, number=drift.qun.number, what=what)
    wechat.arguments.clear()
    assert [await repair(parts, drift) for _ in range(5)] == [True, True, True, False, False]
    assert len(wechat.arguments) == 3
    assert await parts.queued_texts(SONG) == [told]
    (notice,) = await actions(parts, f"drift_{kind.value}")
    assert (notice.who, notice.target, notice.outcome) == (WHO, drift.room.room_id, Outcome.FAILED)
    other = await drift_of(parts, next(other_kind for other_kind in DriftKind if other_kind is not kind), shown="")
    assert await repair(parts, other), "the kinds are counted separately"


@pytest.mark.parametrize(("age", "repaired"), [(DAY - 1, False), (DAY, True)])
async def test_repairs_of_the_last_day_count(open_parts: OpenParts, age: float, repaired: bool) -> None:
    parts, _ = await open_rooms(open_parts)
    drift = await drift_of(parts)
    for _ in range(3):
        await note(parts, drift, age)
    assert await repair(parts, drift) is repaired


@pytest.mark.parametrize("other", [{"account": "x"}, {"kind": "announce"}, {"actor": "person:x"}, {"target": "x"}])
async def test_other_actions_do_not_count_as_repairs(open_parts: OpenParts, other: dict[str, Any]) -> None:
    parts, _ = await open_rooms(open_parts)
    drift = await drift_of(parts)
    for _ in range(3):
        await note(parts, drift, **other)
    assert await repair(parts, drift)


# ---- the check of all groups ----


async def two_groups(open_parts: OpenParts) -> tuple[Parts, RoomWeChat, list[Qun]]:
    parts, wechat = await open_rooms(open_parts)
    return parts, wechat, [await parts.group("1"), await parts.group("2")]


async def test_check_counts_what_differed_and_was_repaired(open_parts: OpenParts) -> None:
    parts, wechat, quns = await two_groups(open_parts)
    assert await parts.container.drift_check.check() == "2 rooms, 0 drifted, 0 repaired"
    for qun in quns:
        wechat.directory.set_topic_of(parts.room_id(qun), "别的名字")
    assert await parts.container.drift_check.check() == "2 rooms, 2 drifted, 2 repaired"
    for qun in quns:
        wechat.directory.set_topic_of(parts.room_id(qun), "别的名字")
    wechat.fails["set_topic"] = WeChatRefused("RoomTopic", "不行")
    assert await parts.container.drift_check.check() == "2 rooms, 2 drifted, 0 repaired"


@pytest.mark.parametrize("state", [QunState.MAKING, QunState.CLOSED])
async def test_check_skips_rooms_that_are_not_in_wechat(open_parts: OpenParts, state: QunState) -> None:
    parts, _, (first, _) = await two_groups(open_parts)
    room = parts.container.groups.all_rooms(first)[0]
    await parts.write(lambda s: parts.container.groups.patch_room(s, room, state=state))
    assert await parts.container.drift_check.check() == "1 rooms, 0 drifted, 0 repaired"


async def test_check_skips_accounts_that_are_offline(open_parts: OpenParts) -> None:
    parts, wechat, _ = await two_groups(open_parts)
    wechat.state = State.CONNECTING
    assert await parts.container.drift_check.check() == "0 rooms, 0 drifted, 0 repaired"
