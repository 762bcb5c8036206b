"""Groups are created once per code, and grow by further rooms."""

from __future__ import annotations

import asyncio
import base64
import re
from typing import Any

import pytest

from errors import (
    AssistantOffline,
    BotError,
    CodeTaken,
    GroupNotMade,
    NotSupported,
    OwnerAmbiguous,
    OwnerUnknown,
    TooManyRequests,
    WeChatRefused,
    WeChatTooFast,
)
from models.durable import Outcome
from models.groups import Qun, QunRoom, QunState
from services.groups.lifecycle import new_public_id, new_token
from tests.doubles import InMemoryWeChat
from tests.services.parts import ACCOUNT, SONG, XUAN, ZHI, OpenParts, Parts
from tests.services.room_wechat import actions
from wechat.interface import PUPPET, Capability, State

DAY = 86400.0


async def create(parts: Parts, code: str = "1", owner: str = "宋公明", account: str = ACCOUNT) -> tuple[Qun, bool]:
    return await parts.container.group_lifecycle.create(code, owner, account, "test")


async def prepare(parts: Parts, code: str = "1", owner: str = "宋公明") -> Qun:
    return await parts.container.group_lifecycle.prepare(code, owner, ACCOUNT)


async def refused(parts: Parts, error: type[BotError], *arguments: str) -> BotError:
    with pytest.raises(error) as caught:
        await create(parts, *arguments)
    return caught.value


def test_token_is_base64_of_twelve_hex_digits() -> None:
    tokens = {new_token() for _ in range(20)}
    assert len(tokens) == 20
    for token in tokens:
        assert re.fullmatch(rb"[0-9A-F]{12}", base64.b64decode(token, validate=True))
        assert len(token) == 16


def test_public_id_is_base64_of_24_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: list[int] = []
    for drawn in (0, 9 * 10**23 - 1):

        def draw(below: int, number: int = drawn) -> int:
            bounds.append(below)
            return number

        monkeypatch.setattr("services.groups.lifecycle.secrets.randbelow", draw)
        public_id = new_public_id()
        assert public_id == base64.urlsafe_b64encode(str(10**23 + drawn).encode()).decode()
        assert len(public_id) == 32 and "=" not in public_id
    assert bounds == [9 * 10**23] * 2


# ---- creation ----


@pytest.mark.parametrize(("days", "expires"), [(0, None), (3, 3 * DAY)])
async def test_row_of_a_new_group(open_parts: OpenParts, days: float, expires: float | None) -> None:
    parts = await open_parts(groups={"token_days": days, "topic": "{owner}和{number}"})
    qun, made = await create(parts, owner=SONG)
    assert made
    assert (qun.number, qun.code, qun.account, qun.owner, qun.owner_id) == (100001, "1", ACCOUNT, SONG, SONG)
    assert (qun.topic, qun.state, qun.created_at) == ("宋公明和100001", QunState.ACTIVE, parts.clock.now)
    assert qun.token_expires_at == (None if expires is None else parts.clock.now + expires)
    assert (await create(parts, "2"))[0].number == 100002
    groups = parts.container.groups
    assert groups.by_token(qun.token) is groups.by_public_id(qun.public_id) is groups.by_code("1")


async def test_nameless_owner_is_named_as_given(parts: Parts) -> None:
    parts.wechat.knows("wxid_nameless", "")
    assert (await create(parts, owner="wxid_nameless"))[0].topic == "wxid_nameless的群100001"


@pytest.mark.parametrize("again", ["宋公明", SONG, "宋老板"])
async def test_repeated_request_returns_the_group(parts: Parts, again: str) -> None:
    first, _ = await create(parts)
    parts.wechat.knows(SONG, "宋公明", alias="宋老板")
    parts.wechat.knows("wxid_stranger", "陌生人", alias="宋老板", friend=False)
    qun, made = await create(parts, owner=again)
    assert (qun.number, made) == (first.number, False)
    assert parts.wechat.calls.count("create_room") == 1


async def test_lost_group_is_returned(parts: Parts) -> None:
    qun, _ = await create(parts)
    await parts.container.groups.change(qun.number, state=QunState.LOST)
    assert (await create(parts))[1] is False


async def test_code_of_a_closed_or_other_group_is_taken(parts: Parts) -> None:
    qun, _ = await create(parts)
    assert "another owner" in (await refused(parts, CodeTaken, "1", "黑旋风")).detail
    assert "another owner" in (await refused(parts, CodeTaken, "1", "无名")).detail
    assert f"belongs to {ACCOUNT}" in (await refused(parts, CodeTaken, "1", "宋公明", "weimi1002")).detail
    await parts.container.groups.change(qun.number, state=QunState.CLOSED)
    assert "closed" in (await refused(parts, CodeTaken)).detail


async def test_code_in_use_by_another_process_is_taken(parts: Parts) -> None:
    await create(parts)
    parts.container.groups.drop(ACCOUNT)
    assert "another assistant" in (await refused(parts, CodeTaken)).detail


async def test_channel_may_not_support_groups(parts: Parts) -> None:
    await create(parts)
    parts.wechat.capabilities = PUPPET - {Capability.CREATE_ROOM}
    assert (await create(parts))[1] is False
    await refused(parts, NotSupported, "2")


async def test_unknown_owner_is_searched_once(parts: Parts) -> None:
    await refused(parts, OwnerUnknown, "1", "九纹龙")
    assert parts.wechat.calls.count("look_for") == 1
    parts.wechat.knows("wxid_new", "九纹龙", friend=False)
    await refused(parts, OwnerUnknown, "1", "九纹龙")
    parts.wechat.knows("wxid_new", "九纹龙")
    looked = parts.wechat.calls.count("look_for")
    assert (await create(parts, owner="九纹龙"))[0].owner_id == "wxid_new"
    assert parts.wechat.calls.count("look_for") == looked


async def test_owner_found_by_the_search_is_used(parts: Parts) -> None:
    async def search(name: str) -> None:
        parts.wechat.knows("wxid_new", name)

    parts.wechat.search_contacts = search  # type: ignore[method-assign]
    assert (await create(parts, owner="九纹龙"))[0].owner_id == "wxid_new"


async def test_ambiguous_owner_is_rejected(parts: Parts) -> None:
    parts.wechat.knows("wxid_song2", "宋公明")
    detail = (await refused(parts, OwnerAmbiguous)).detail
    assert SONG in detail and "wxid_song2" in detail


async def test_offline_account_creates_no_group(parts: Parts) -> None:
    parts.wechat.state = State.CONNECTING
    await refused(parts, AssistantOffline)
    assert parts.container.groups.by_code("1") is None


async def test_failed_creation_is_continued(parts: Parts) -> None:
    parts.wechat.fails["create_room"] = WeChatRefused("RoomCreate", "不行")
    await refused(parts, GroupNotMade)
    parts.wechat.fails.clear()
    qun, made = await create(parts)
    assert (qun.number, made, qun.state) == (100001, True, QunState.ACTIVE)


async def test_concurrent_requests_create_one_group(parts: Parts) -> None:
    results = await asyncio.gather(*(create(parts) for _ in range(3)))
    assert {qun.number for qun, _ in results} == {100001}
    assert [made for _, made in results] == [True, False, False]
    assert parts.wechat.calls.count("create_room") == 1


async def test_concurrent_request_for_another_owner_is_rejected(parts: Parts) -> None:
    first, second = await asyncio.gather(create(parts), create(parts, owner="黑旋风"), return_exceptions=True)
    assert not isinstance(first, BaseException)
    assert isinstance(second, CodeTaken)


async def test_request_that_waited_for_another_one_has_created_nothing(parts: Parts) -> None:
    first, second = await asyncio.gather(create(parts), create(parts, owner=SONG))
    assert (first[0].number, first[1], second[0].number, second[1]) == (100001, True, 100001, False)
    assert parts.wechat.calls.count("create_room") == 1


# ---- without creating it in WeChat ----


async def test_prepared_group_is_created_later(parts: Parts) -> None:
    parts.wechat.state = State.CONNECTING
    first, second = await asyncio.gather(prepare(parts), prepare(parts))
    assert first.number == second.number == (await prepare(parts)).number
    assert first.state == QunState.MAKING
    assert "create_room" not in parts.wechat.calls
    parts.wechat.state = State.ONLINE
    qun, made = await create(parts)
    assert (qun.number, made, qun.state) == (first.number, True, QunState.ACTIVE)


async def test_unknown_owner_cannot_be_searched_offline(parts: Parts) -> None:
    parts.wechat.state = State.CONNECTING
    with pytest.raises(AssistantOffline) as caught:
        await prepare(parts, owner="九纹龙")
    assert caught.value.retry_after == 5.0
    assert "look_for" not in parts.wechat.calls


async def test_preparing_another_owners_code_is_rejected(parts: Parts) -> None:
    await prepare(parts)
    with pytest.raises(CodeTaken):
        await prepare(parts, owner="黑旋风")


async def test_rejected_creation_returns_number_and_code(parts: Parts) -> None:
    parts.wechat.fails["create_room"] = WeChatTooFast("create_room", "操作过于频繁")
    await refused(parts, TooManyRequests)
    assert (await prepare(parts, "2")).number == 100001
    assert (await prepare(parts, owner="黑旋风")).owner_id == XUAN, "the code is free"


async def test_request_for_later_during_a_rejected_creation_keeps_its_group(parts: Parts) -> None:
    """The group of its response must not disappear when the creation that was running is rejected."""
    parts.wechat.holds["create_room"] = asyncio.Event()
    parts.wechat.fails["create_room"] = WeChatTooFast("create_room", "操作过于频繁")
    running = asyncio.create_task(create(parts))
    await parts.wechat.reached("create_room")
    later = asyncio.create_task(prepare(parts))
    await asyncio.sleep(0)
    parts.wechat.holds["create_room"].set()
    with pytest.raises(TooManyRequests):
        await running
    qun = await later
    assert parts.container.groups.by_code("1") is parts.container.groups.by_number(qun.number) is not None
    assert await parts.read(lambda s: s.get(Qun, qun.number)) is not None


async def test_group_that_was_tagged_is_kept_when_its_creation_is_rejected(parts: Parts) -> None:
    parts.wechat.holds["create_room"] = asyncio.Event()
    parts.wechat.fails["create_room"] = WeChatTooFast("create_room", "操作过于频繁")
    running = asyncio.create_task(create(parts))
    await parts.wechat.reached("create_room")
    await parts.container.store.write(lambda s: parts.container.closing.tag(s, 100001, ["华东"]))
    parts.wechat.holds["create_room"].set()
    with pytest.raises(TooManyRequests):
        await running
    qun = parts.container.groups.by_code("1")
    assert qun is not None and qun.state == QunState.MAKING
    parts.wechat.fails.clear()
    assert (await create(parts))[0].state == QunState.ACTIVE


# ---- further rooms ----


async def open_next(parts: Parts, qun: Qun) -> QunRoom:
    return await parts.container.group_lifecycle.open_next_room(qun, "test")


async def test_rooms_are_numbered(open_parts: OpenParts) -> None:
    parts = await open_parts(groups={"companions": ["智多星", "黑旋风"]})
    qun, _ = await create(parts)
    second, same = await asyncio.gather(open_next(parts, qun), open_next(parts, qun))
    parts.wechat.directory.unfriend(ZHI)
    third = await open_next(parts, qun)
    assert second.id == same.id
    assert [(room.ordinal, room.topic, room.state) for room in parts.container.groups.all_rooms(qun)] == [
        (1, qun.topic, QunState.ACTIVE),
        (2, f"{qun.topic}·2", QunState.ACTIVE),
        (3, f"{qun.topic}·3", QunState.ACTIVE),
    ]
    assert third.room_id in parts.wechat.directory.rooms
    row = await parts.membership(qun, XUAN)
    assert row is not None and row.room_id == third.room_id, "the members of the new room are recorded"


async def test_interrupted_room_is_finished(parts: Parts) -> None:
    qun, _ = await create(parts)
    parts.wechat.fails["create_room"] = WeChatRefused("RoomCreate", "不行")
    with pytest.raises(GroupNotMade):
        await open_next(parts, qun)
    parts.wechat.fails.clear()
    assert (await open_next(parts, qun)).ordinal == 2
    assert len(parts.container.groups.all_rooms(qun)) == 2


# ---- the token ----


@pytest.mark.parametrize("days", [0, 2])
async def test_renewed_token_replaces_the_old_one(open_parts: OpenParts, days: float) -> None:
    parts = await open_parts(groups={"token_days": days})
    qun, _ = await create(parts)
    old, container = qun.token, parts.container
    parts.clock.now += 100
    renewed = await parts.write(lambda s: container.group_lifecycle.renew_token(s, container.audit, qun, "person:x"))
    assert renewed.token != old
    assert renewed.token_expires_at == (parts.clock.now + days * DAY if days else None)
    assert container.groups.by_token(old) is None
    assert container.groups.by_token(renewed.token) is not None
    (entry,) = await actions(parts, "token")
    assert (entry.who, entry.outcome, entry.detail) == ("person:x", Outcome.DONE, {"number": str(qun.number)})


async def test_second_account_has_groups_of_its_own(parts: Parts) -> None:
    other: Any = InMemoryWeChat("weimi1002")
    other.knows(XUAN, "黑旋风")
    other.knows(ZHI, "智多星")
    parts.container.rate_limiters.create("weimi1002", parts.container.config.pacing)
    parts.container.accounts.add(other)
    await create(parts)
    qun, _ = await create(parts, "2", "黑旋风", "weimi1002")
    assert (qun.number, qun.account) == (100002, "weimi1002")
    assert "belongs to weimi1002" in (await refused(parts, CodeTaken, "2")).detail
