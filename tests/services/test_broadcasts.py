"""Broadcasts: whom they are for, how they are confirmed, repeated, cancelled, and what is reported."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from sqlmodel import select

from errors import AssistantUnknown, InvalidParameter, NotFound
from models.cluster import AccountLease
from models.durable import OutboxItem
from models.groups import QunState, QunTag
from models.rules import Broadcast, BroadcastState, BroadcastTarget
from services.messaging.messages import text
from services.outreach.broadcast_targets import BroadcastTargets
from services.outreach.broadcast_types import BroadcastRequest, BroadcastResult, Target, check_run_at
from tests.doubles import InMemoryWeChat
from tests.services.broadcast_requests import (
    ADMIN,
    FAILED,
    QUEUED,
    SENDING,
    SENT,
    request,
    submit,
)
from tests.services.parts import ACCOUNT, SONG, ZHI, Parts
from tests.services.room_wechat import actions
from tests.services.test_lists import put

MAX_AHEAD = 366 * 86400.0
CONFIRM_MINUTES = 10


async def targets_of(parts: Parts, **values: Any) -> list[Target]:
    return await parts.read(lambda s: parts.container.broadcast_targets.of_request(s, request(**values)))


# ---- requests ----


def test_fingerprint_is_equal_for_equal_requests() -> None:
    prints = {
        request().fingerprint(),
        request(quns=[1]).fingerprint(),
        request(quns=["1"]).fingerprint(),
        request(tags=["1"]).fingerprint(),
        request(everywhere=True).fingerprint(),
        request(account="a").fingerprint(),
        request(run_at=1).fingerprint(),
        request(friends=[("a", "x")]).fingerprint(),
        request(message="ho").fingerprint(),
    }
    assert len(prints) == 9
    assert request(quns=(1,), friends=()).fingerprint() == request(quns=[1]).fingerprint()
    turned = dict(reversed(text("hi", ["x"]).items()))
    assert BroadcastRequest(turned).fingerprint() == BroadcastRequest(text("hi", ["x"])).fingerprint()
    assert request().run_at == 0


def test_time_is_at_most_a_year_ahead() -> None:
    check_run_at(1000 + MAX_AHEAD, 1000)
    with pytest.raises(InvalidParameter, match="more than a year"):
        check_run_at(1000.5 + MAX_AHEAD, 1000)


@pytest.mark.parametrize(
    ("states", "result"),
    [
        ([], "done"),
        ([SENT, FAILED], "done"),
        ([QUEUED, QUEUED], "queued"),
        ([QUEUED, SENT], "sending"),
        ([SENDING], "sending"),
        ([SENDING, FAILED], "sending"),
    ],
)
def test_state_of_a_broadcast(states: list[str], result: str) -> None:
    broadcast = Broadcast(account="a", by="x", text="t", expires_at=0, state=BroadcastState.SENT)
    assert BroadcastResult(broadcast, dict(enumerate(states))).state == result
    assert BroadcastResult(broadcast, {}, {("a", str(n)): state for n, state in enumerate(states)}).state == result
    broadcast.state = BroadcastState.WITHDRAWN
    assert BroadcastResult(broadcast, dict(enumerate(states))).state == "cancelled"


# ---- whom it is for ----


async def test_groups_are_selected(parts: Parts) -> None:
    first, second = await parts.group("one"), await parts.group("two")
    rooms = {qun.number: parts.room_id(qun) for qun in (first, second)}
    both = [Target(ACCOUNT, number, room) for number, room in rooms.items()]
    await put(parts.container.store, QunTag(number=second.number, tag="vip"), QunTag(number=second.number, tag="new"))
    assert await targets_of(parts, everywhere=True) == both
    assert await targets_of(parts, quns=["two", "one", second.number, str(first.number)]) == both[::-1]
    assert await targets_of(parts, tags=["vip", "new"]) == both[1:]
    assert await targets_of(parts, tags=["none"]) == []
    assert await targets_of(parts, everywhere=True, account="other") == []
    assert await targets_of(parts, everywhere=True, account=ACCOUNT) == both
    assert await parts.read(lambda s: parts.container.broadcast_targets.of_account(s, ACCOUNT)) == both
    assert await parts.read(lambda s: parts.container.broadcast_targets.of_account(s, "other")) == []
    assert [parts.container.broadcast_targets.group_count(name) for name in (ACCOUNT, "other")] == [2, 0]
    with pytest.raises(NotFound, match="group three"):
        await targets_of(parts, quns=["three"])
    second.state = QunState.LOST
    assert await targets_of(parts, everywhere=True) == both[:1], "only groups that are in WeChat"
    assert parts.container.broadcast_targets.group_count(ACCOUNT) == 1


async def test_groups_of_other_processes_are_read_from_the_database(parts: Parts) -> None:
    first, second = await parts.group("one"), await parts.group("two")
    both = [Target(ACCOUNT, qun.number, parts.room_id(qun)) for qun in (first, second)]
    await put(parts.container.store, QunTag(number=second.number, tag="vip"))
    parts.container.groups.drop(ACCOUNT)
    targets = BroadcastTargets(parts.container.accounts, parts.container.groups, all_in_memory=False)

    async def found(**values: Any) -> list[Target]:
        return await parts.read(lambda s: targets.of_request(s, request(**values)))

    assert await found(everywhere=True) == both
    assert await found(tags=["vip"]) == both[1:]
    assert await found(quns=["two", first.number, "two"]) == both[::-1]
    with pytest.raises(NotFound):
        await found(quns=["three"])
    friend = ("away", "x")
    await put(parts.container.store, AccountLease(account="away"))
    assert await found(friends=[friend]) == [Target("away", 0, "x")], "its process knows its friends"
    await put(parts.container.store, AccountLease(account=ACCOUNT))
    with pytest.raises(NotFound):
        await found(friends=[(ACCOUNT, "stranger")])
    with pytest.raises(AssistantUnknown):
        await found(friends=[("nobody", "x")])
    assert await found(friends=[(ACCOUNT, SONG)]) == [Target(ACCOUNT, 0, SONG)]


async def test_friends_are_named_once(parts: Parts) -> None:
    found = await targets_of(parts, friends=[(ACCOUNT, SONG), (ACCOUNT, ZHI), (ACCOUNT, SONG)])
    assert found == [Target(ACCOUNT, 0, SONG), Target(ACCOUNT, 0, ZHI)]
    parts.wechat.knows("stranger", friend=False)
    parts.wechat.knows("official").official = True
    for who in ("stranger", "official", "unknown"):
        with pytest.raises(NotFound, match=f"friend {who}"):
            await targets_of(parts, friends=[(ACCOUNT, who)])


# ---- by an admin ----


async def test_admin_confirms_within_ten_minutes(parts: Parts) -> None:
    broadcasts, clock = parts.container.broadcasts, parts.clock
    qun = await parts.group()
    assert await broadcasts.unconfirmed(ACCOUNT, ADMIN) is None
    for content in ("first", "second"):
        await parts.write(partial(broadcasts.ask, account=ACCOUNT, by=ADMIN, text=content))
    asked = await broadcasts.unconfirmed(ACCOUNT, ADMIN)
    assert asked is not None and asked.text == "second"
    assert (asked.created_at, asked.expires_at) == (clock.now, clock.now + CONFIRM_MINUTES * 60)
    assert await broadcasts.unconfirmed(ACCOUNT, "other") is None
    clock.now += CONFIRM_MINUTES * 60 - 1
    assert not broadcasts.has_expired(asked)
    clock.now += 1
    assert broadcasts.has_expired(asked)
    before = len(await parts.queued())
    assert [await parts.write(partial(broadcasts.send, broadcast=asked)) for _ in range(2)] == [1, 0]
    (job,) = (await parts.queued())[before:]
    assert (job.key, job.body["text"], job.body["broadcast"]) == (parts.room_id(qun), "second", asked.id)
    states = [row.state for row in await parts.read(lambda s: s.exec(select(Broadcast)).all())]
    assert states == ["cancelled", "sent"]
    (noted,) = await actions(parts, "broadcast")
    assert (noted.account, noted.who, noted.target, noted.outcome) == (
        ACCOUNT, f"person:{ADMIN}", str(asked.id), "done"
    )  # fmt: skip
    assert noted.detail == {"groups": "1"}


async def test_broadcasts_of_other_admins_stay(parts: Parts) -> None:
    broadcasts = parts.container.broadcasts
    for account, by in ((ACCOUNT, ADMIN), (ACCOUNT, "other"), ("b", ADMIN)):
        await parts.write(partial(broadcasts.ask, account=account, by=by, text=f"{account} {by}"))
    for account, by in ((ACCOUNT, ADMIN), (ACCOUNT, "other"), ("b", ADMIN)):
        asked = await broadcasts.unconfirmed(account, by)
        assert asked is not None and asked.text == f"{account} {by}"


async def test_cancelled_broadcast_cannot_be_sent(parts: Parts) -> None:
    broadcasts = parts.container.broadcasts
    await parts.group()
    await parts.write(partial(broadcasts.ask, account=ACCOUNT, by=ADMIN, text="words"))
    asked = await broadcasts.unconfirmed(ACCOUNT, ADMIN)
    assert asked is not None
    await parts.write(partial(broadcasts.cancel, broadcast=asked))
    assert await broadcasts.unconfirmed(ACCOUNT, ADMIN) is None
    assert await parts.write(partial(broadcasts.send, broadcast=asked)) == 0


# ---- by a business system ----


async def test_submitted_broadcast_is_queued_for_everybody(parts: Parts) -> None:
    qun = await parts.group()
    number = await submit(parts, quns=[qun.number], friends=[(ACCOUNT, SONG)], run_at=parts.clock.now + 60)
    rows = await parts.read(lambda s: s.exec(select(BroadcastTarget)).all())
    assert [(row.broadcast, row.account, row.number, row.room_id) for row in rows] == [
        (number, ACCOUNT, qun.number, parts.room_id(qun)), (number, ACCOUNT, 0, SONG),
    ]  # fmt: skip
    items = [await parts.read(lambda s, m=row.message: s.get_one(OutboxItem, m)) for row in rows]  # type: ignore[misc]
    assert {(item.priority, item.run_at) for item in items} == {("c-broadcast", parts.clock.now + 60)}
    assert [item.key for item in items] == [parts.room_id(qun), SONG]
    (broadcast,) = await parts.read(lambda s: s.exec(select(Broadcast)).all())
    assert (broadcast.id, broadcast.text, broadcast.by, broadcast.state) == (number, "hi", "rest:erp", "sent")
    assert (broadcast.expires_at, broadcast.created_at) == (0, parts.clock.now)
    assert json.loads(broadcast.body or "") == {"type": "text", "text": "hi"}
    (noted,) = await actions(parts, "broadcast")
    assert (noted.account, noted.detail) == (ACCOUNT, {"groups": "1", "friends": "1"})


async def test_broadcast_of_several_accounts_is_noted_under_the_first(parts: Parts) -> None:
    other = InMemoryWeChat("other")
    other.knows(ZHI)
    parts.container.accounts.add(other.whole())
    await submit(parts, friends=[("other", ZHI), (ACCOUNT, SONG)])
    (noted,) = await actions(parts, "broadcast")
    assert (noted.account, noted.detail) == ("other", {"groups": "0", "friends": "2"})


async def test_broadcast_to_nobody_is_rejected(parts: Parts) -> None:
    with pytest.raises(InvalidParameter, match="they name no active group"):
        await submit(parts, tags=["none"])
    assert await parts.read(lambda s: s.exec(select(Broadcast)).all()) == []


async def test_repeated_key_queues_nothing_again(parts: Parts) -> None:
    friends = [(ACCOUNT, SONG)]
    first = await submit(parts, "k", friends=friends)
    assert await submit(parts, "k", friends=friends) == first
    assert await submit(parts, friends=friends) != first
    assert len(await parts.queued()) == 2
    with pytest.raises(InvalidParameter, match="another broadcast"):
        await submit(parts, "k", friends=[(ACCOUNT, ZHI)])
