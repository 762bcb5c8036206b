"""Messages and groups requested by business systems, and timed messages, over the database."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from sqlmodel import Session, select

from errors import (
    AssistantOffline,
    AssistantUnknown,
    GroupNotMade,
    InvalidParameter,
    MemberAmbiguous,
    NotFound,
    TooManyRequests,
)
from models.durable import OutboxItem, WorkState
from models.groups import QunState
from services.outreach.outbound_requests import MessageRequest
from services.work.job import GiveUp, Job, Retry
from tests.services.parts import ACCOUNT, SONG, XUAN, ZHI, Parts
from tests.services.test_lists import put
from wechat.interface import State

WAITS = [10.0, 60.0, 300.0, 900.0, 3600.0, 3600.0, 3600.0]


def to(who: str, text: str = "hi", **values: Any) -> MessageRequest:
    return MessageRequest(**{"account": ACCOUNT, "to": who, "qun": None, "text": text, "mentions": (), **values})


def to_group(qun: str | int, *mentions: str, **values: Any) -> MessageRequest:
    return MessageRequest(**{"account": ACCOUNT, "to": None, "qun": qun, "text": "hi", "mentions": mentions, **values})


async def submit(parts: Parts, request: MessageRequest, key: str | None = None) -> int:
    return await parts.container.outbound_requests.submit(request, key)


async def second_room(parts: Parts, number: int, members: set[str]) -> str:
    """Open a second room of a group."""
    from models.groups import QunRoom
    from wechat.entities import Room

    room = QunRoom(number=number, ordinal=2, account=ACCOUNT, room_id="r2", topic="t", state=QunState.ACTIVE)
    await put(parts.container.store, room)
    parts.container.groups._cache_room(room)
    parts.wechat.directory.put_room(Room("r2", "t", "", (), members))
    return "r2"


# ---- recipients ----


@pytest.mark.parametrize("name", [SONG, "宋公明"])
async def test_message_goes_to_a_friend(parts: Parts, name: str) -> None:
    number = await submit(parts, to(name))
    (job,) = await parts.queued()
    assert (job.queue, job.key, job.body) == (f"wx:{ACCOUNT}", SONG, {"type": "text", "text": "hi"})
    item = await parts.read(lambda s: s.get_one(OutboxItem, number))
    assert (item.priority, item.idempotency_key, item.fingerprint) == ("b-notice", None, "")
    assert "look_for" not in parts.wechat.calls


async def test_unknown_recipient_is_searched_for_first(parts: Parts) -> None:
    async def search(name: str) -> None:
        parts.wechat.knows("wxid_new", name)

    with pytest.raises(NotFound, match="person"):
        await submit(parts, to("新朋友"))
    assert parts.wechat.calls == ["look_for"]
    parts.wechat.search_contacts = search  # type: ignore[method-assign]
    await submit(parts, to("新朋友"))
    assert (await parts.queued())[0].key == "wxid_new"


async def test_unusable_recipient_is_rejected(parts: Parts) -> None:
    parts.wechat.knows("wxid_1", "同名")
    parts.wechat.knows("wxid_2", "同名")
    with pytest.raises(MemberAmbiguous, match="wxid_1, wxid_2"):
        await submit(parts, to("同名"))
    with pytest.raises(AssistantUnknown):
        await submit(parts, to(SONG, account="nobody"))
    with pytest.raises(AssistantUnknown):
        await submit(parts, to_group(1, account="nobody"))
    parts.wechat.state = State.SYNCING
    with pytest.raises(AssistantOffline) as caught:
        await submit(parts, to("nobody"))
    assert caught.value.retry_after == 5.0, "its contacts may not have been read yet"
    assert await parts.queued() == []


async def test_other_bodies_replace_the_words(parts: Parts) -> None:
    body = {"type": "file", "path": "p", "name": "n"}
    await submit(parts, to(SONG, body=body))
    assert (await parts.queued())[0].body == body


async def test_message_goes_to_every_room_of_a_group(parts: Parts) -> None:
    qun = await parts.group()
    members = parts.members(qun)
    second = await second_room(parts, qun.number, {XUAN, ZHI})
    parts.wechat.knows(ZHI, "智多星")
    number = await submit(parts, to_group("1", "黑旋风", "智多星", XUAN), "k")
    first, other = [job for job in await parts.queued() if job.body.get("text") == "hi"]
    assert (first.key, other.key) == (second, parts.room_id(qun)), "the request is the one that is queued last"
    assert first.body["mentions"] == [XUAN, ZHI]
    assert other.body["mentions"] == [who for who in (XUAN, ZHI) if who in members]
    rows = await parts.read(lambda s: s.exec(select(OutboxItem)).all())
    by_key = {row.key: row for row in rows}
    assert by_key[parts.room_id(qun)].id == number
    assert other.body["also"] == [by_key[second].id]
    assert [by_key[room].idempotency_key for room in (parts.room_id(qun), second)] == ["k", None]


async def test_unusable_group_is_rejected(parts: Parts) -> None:
    qun = await parts.group()
    for name in ("none", 99, ""):
        with pytest.raises(NotFound, match="group"):
            await submit(parts, to_group(name))
    with pytest.raises(NotFound, match="person"):
        await submit(parts, to_group(qun.number, "nobody"))
    parts.container.groups.rooms(qun)[0].state = QunState.LOST
    qun.state = QunState.LOST
    with pytest.raises(NotFound, match="is lost"):
        await submit(parts, to_group(qun.number))
    qun.state = QunState.MAKING
    with pytest.raises(GroupNotMade):
        await submit(parts, to_group(qun.number))
    qun.state = QunState.CLOSED
    with pytest.raises(NotFound):
        await submit(parts, to_group(qun.number))
    qun.state, qun.account = QunState.ACTIVE, "other"
    with pytest.raises(NotFound):
        await submit(parts, to_group(qun.number))


# ---- keys ----


async def test_repeated_key_queues_one_message(parts: Parts) -> None:
    first = await submit(parts, to(SONG), "k")
    assert await submit(parts, to(SONG), "k") == first
    assert await asyncio.gather(*(submit(parts, to(SONG), "k") for _ in range(3))) == [first] * 3
    assert len(await parts.queued()) == 1
    for other in (to(ZHI), to(SONG, "ho"), to(SONG, body={"type": "contact", "id": "x"})):
        with pytest.raises(InvalidParameter, match="another message"):
            await submit(parts, other, "k")


async def test_key_stored_by_another_process_meanwhile(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = parts.container.outbound_requests
    first = await submit(parts, to(SONG), "k")
    lookup, looks = requests._stored_requests, 0

    async def late(key: str) -> Any:
        nonlocal looks
        looks += 1
        return None if looks == 1 else await lookup(key)

    monkeypatch.setattr(requests, "_stored_requests", late)
    assert await submit(parts, to(SONG), "k") == first
    looks = 0
    with pytest.raises(InvalidParameter, match="another message"):
        await submit(parts, to(SONG, "ho"), "k")

    async def never(_key: str) -> None:
        return None

    monkeypatch.setattr(requests, "_stored_requests", never)
    with pytest.raises(InvalidParameter, match="Idempotency-Key: it belongs to another request"):
        await submit(parts, to(SONG), "k")


# ---- states ----


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        ("queued", "queued", "queued"),
        ("sent", "sent", "sent"),
        ("sent", "queued", "sending"),
        ("sending", "sending", "sending"),
        ("sent", "failed", "failed"),
        ("unknown", "queued", "failed"),
        ("sent", "cancelled", "failed"),
    ],
)
async def test_state_is_that_of_all_parts(parts: Parts, first: str, second: str, state: str) -> None:
    def item(number: int, body: str, state: str, queue: str = "wx:a") -> OutboxItem:
        return OutboxItem(id=number, queue=queue, key="k", body=body, state=state)

    await put(
        parts.container.store,
        item(1, '{"also": [2]}', first),
        item(2, "{}", second),
        item(3, "{}", first),
        item(4, "{}", first, "hook:x"),
    )
    requests = parts.container.outbound_requests
    assert await requests.state_of(1) == state
    assert await requests.state_of(3) == ("failed" if first == "unknown" else first)
    for number in (4, 99):
        with pytest.raises(NotFound, match=f"message {number}"):
            await requests.state_of(number)


# ---- groups created later ----


async def queued_groups(parts: Parts) -> list[OutboxItem]:
    rows = await parts.read(lambda s: s.exec(select(OutboxItem)).all())
    return [row for row in rows if row.queue.startswith("make:")]


async def test_creation_is_queued_once(parts: Parts) -> None:
    create = partial(parts.container.deferred_groups.create, "code", "宋公明", ACCOUNT, "rest:erp")
    qun = await create()
    await create()
    (item,) = await queued_groups(parts)
    assert (item.queue, item.key, item.priority) == (f"make:{ACCOUNT}", ACCOUNT, "b-notice")
    assert item.body == '{"code": "code", "owner": "宋公明", "who": "rest:erp"}'
    assert item.idempotency_key == f"make:{qun.number}"

    def fail(session: Session) -> None:
        session.get_one(OutboxItem, item.id).state = WorkState.FAILED

    await parts.write(fail)
    await create()
    assert [row.state for row in await queued_groups(parts)] == ["queued"], "it is tried again"
    result = await parts.container.deferred_groups._make(_job(qun.code))
    assert result == str(qun.number)
    await create()
    assert len(await queued_groups(parts)) == 1, "it exists"


def _job(code: str, attempts: int = 0) -> Job:
    body = {"code": code, "owner": "宋公明", "who": "rest:erp"}
    return Job(1, f"make:{ACCOUNT}", ACCOUNT, body, attempts=attempts)


async def test_waits_of_a_creation_grow(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any) -> Any:
        raise GroupNotMade("x")

    monkeypatch.setattr(parts.container.group_lifecycle, "create", fail)
    found = [await parts.container.deferred_groups._make(_job("code", attempts)) for attempts in range(8)]
    assert [result.again_in for result in found if isinstance(result, Retry)] == WAITS
    assert isinstance(found[-1], GiveUp)


@pytest.mark.parametrize(
    ("error", "attempts", "result"),
    [
        (TooManyRequests(retry_after=30.0), 0, Retry(30.0, "请求过于频繁，请稍后再试！", counts=False)),
        (TooManyRequests(retry_after=0.5), 0, Retry(1.0, "请求过于频繁，请稍后再试！", counts=False)),
        (AssistantOffline(), 0, Retry(5.0, "助手不在线，请稍后再试！", counts=False)),
        (GroupNotMade("x"), 0, Retry(10.0, "2006 微信建群失败，请稍后再试！ (x)")),
        (GroupNotMade("x"), 6, Retry(3600.0, "2006 微信建群失败，请稍后再试！ (x)")),
        (GroupNotMade("x"), len(WAITS), GiveUp("2006 微信建群失败，请稍后再试！ (x)")),
        (NotFound("x"), 0, GiveUp("1004 请求的资源不存在！ (x)")),
    ],
)
async def test_failed_creation_is_retried_or_given_up(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, error: Exception, attempts: int, result: Any
) -> None:
    async def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(parts.container.group_lifecycle, "create", fail)
    assert await parts.container.deferred_groups._make(_job("code", attempts)) == result
