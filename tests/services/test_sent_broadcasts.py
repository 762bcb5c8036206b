"""Results of broadcasts: listed, cancelled, and reported to the admin."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from sqlmodel import Session, select

from errors import NotFound
from models.durable import OutboxItem
from models.rules import BroadcastTarget
from services.paging import PageRequest
from services.work.job import GiveUp, Job
from services.work.outbox_rows import job_of
from tests.services.broadcast_requests import (
    ADMIN,
    CANCELLED,
    FAILED,
    QUEUED,
    SENDING,
    SENT,
    end_messages,
    submit,
)
from tests.services.parts import ACCOUNT, SONG, ZHI, Parts
from tests.services.room_wechat import actions
from tests.services.test_lists import numbers, put, qun


async def broadcast_jobs(parts: Parts) -> list[Job]:
    rows = await parts.read(lambda s: s.exec(select(OutboxItem)).all())
    return [job_of(row) for row in rows if row.priority == "c-broadcast"]


# ---- results ----


async def test_group_is_sent_once_all_of_its_rooms_are(parts: Parts) -> None:
    sent_broadcasts = parts.container.sent_broadcasts
    qun = await parts.group()
    number = await submit(parts, quns=[qun.number], friends=[(ACCOUNT, SONG)])

    def second_room(session: Session) -> None:
        session.add(BroadcastTarget(broadcast=number, account=ACCOUNT, number=qun.number, room_id="r2", message=999))

    await parts.write(second_room)
    for state, group in ((QUEUED, "sending"), (SENT, "sent"), (FAILED, "failed"), ("unknown", "failed")):
        await end_messages(parts, state, SENT)
        result = await sent_broadcasts.result(number)
        assert (result.groups, result.friends) == ({qun.number: group}, {(ACCOUNT, SONG): "sent"}), state
    await end_messages(parts, SENT, FAILED)
    assert (await sent_broadcasts.result(number)).friends == {(ACCOUNT, SONG): "failed"}
    await end_messages(parts, CANCELLED)
    assert (await sent_broadcasts.result(number)).groups == {qun.number: "cancelled"}, "a part was sent before"
    with pytest.raises(NotFound):
        await sent_broadcasts.result(99)


async def test_unsent_messages_are_cancelled(parts: Parts) -> None:
    cancel: Callable[..., int] = parts.container.sent_broadcasts.cancel
    number = await submit(parts, friends=[(ACCOUNT, SONG), (ACCOUNT, ZHI)])
    await end_messages(parts, SENT)
    assert [await parts.write(partial(cancel, broadcast_id=number, actor="rest:erp")) for _ in range(2)] == [1, 0]
    result = await parts.container.sent_broadcasts.result(number)
    assert (result.state, result.friends) == ("cancelled", {(ACCOUNT, SONG): "sent", (ACCOUNT, ZHI): "cancelled"})
    (noted,) = await actions(parts, "broadcast_cancelled")
    assert (noted.account, noted.who, noted.target, noted.detail) == (
        ACCOUNT, "rest:erp", str(number), {"count": "1"}
    )  # fmt: skip
    with pytest.raises(NotFound):
        await parts.write(partial(cancel, broadcast_id=99, actor="rest:erp"))


async def test_sent_broadcast_is_not_withdrawn(parts: Parts) -> None:
    number = await submit(parts, friends=[(ACCOUNT, SONG)])
    await end_messages(parts, SENT)
    assert await parts.write(lambda s: parts.container.sent_broadcasts.cancel(s, number, "x")) == 0
    assert (await parts.container.sent_broadcasts.result(number)).state == "done"


async def test_only_confirmed_broadcasts_are_listed(parts: Parts) -> None:
    sent_broadcasts = parts.container.sent_broadcasts
    await parts.write(partial(parts.container.broadcasts.ask, account=ACCOUNT, by=ADMIN, text="words"))
    for _ in range(3):
        await submit(parts, friends=[(ACCOUNT, SONG)])
    await parts.write(lambda s: sent_broadcasts.cancel(s, 3, "x"))
    assert await numbers(parts.container.store, sent_broadcasts.list_page) == [4, 3, 2]
    with pytest.raises(NotFound):
        await sent_broadcasts.result(1)
    page = await parts.read(lambda s: sent_broadcasts.list_page(s, PageRequest(50)))
    assert page.next is None


async def test_unfinished_broadcasts_of_an_account(parts: Parts) -> None:
    sent_broadcasts, clock = parts.container.sent_broadcasts, parts.clock

    async def unfinished(account: str = ACCOUNT, limit: int = 9) -> list[int | None]:
        rows = await parts.read(lambda s: sent_broadcasts.unfinished(s, account, limit))
        return [row.id for row in rows]

    for later in (0.0, 2 * 86400.0, 0.0):
        await submit(parts, friends=[(ACCOUNT, SONG)], run_at=clock.now + later if later else 0)
    assert await unfinished() == [3, 2, 1]
    assert await unfinished(limit=2) == [3, 2]
    assert await unfinished("other") == []
    await end_messages(parts, SENT)
    assert await unfinished() == [3, 2]
    await parts.write(lambda s: sent_broadcasts.cancel(s, 3, "x"))
    assert await unfinished() == [2]
    clock.now += 3 * 86400 - 1
    assert await unfinished() == [2]
    clock.now += 1
    assert await unfinished() == [], "a day after its time"


# ---- reports ----


async def test_broadcast_is_unfinished_for_a_day(parts: Parts) -> None:
    sent_broadcasts = parts.container.sent_broadcasts
    await submit(parts, friends=[(ACCOUNT, SONG)])
    parts.clock.now += 86400 - 1
    assert len(await parts.read(lambda s: sent_broadcasts.unfinished(s, ACCOUNT, 9))) == 1
    parts.clock.now += 1
    assert await parts.read(lambda s: sent_broadcasts.unfinished(s, ACCOUNT, 9)) == []


async def test_admin_is_notified_of_the_result_once(parts: Parts) -> None:
    reports = parts.container.outbox.results._on_sent[-1].__self__  # type: ignore[attr-defined]
    first, second = await parts.group("one"), await parts.group("two")
    broadcasts = parts.container.broadcasts
    await parts.write(partial(broadcasts.ask, account=ACCOUNT, by=ADMIN, text="全体  通知\n" + "x" * 30))
    asked = await broadcasts.unconfirmed(ACCOUNT, ADMIN)
    assert asked is not None
    await parts.write(partial(broadcasts.send, broadcast=asked))
    jobs = await broadcast_jobs(parts)
    await end_messages(parts, SENT, SENDING)
    await parts.write(lambda s: reports.sent(s, jobs[0]))
    assert await parts.queued_texts(ADMIN) == [], "a part is open"
    await end_messages(parts, SENT, FAILED)
    for _ in range(2):
        await parts.write(lambda s: reports.failed(s, jobs[1], GiveUp("no")))
    (told,) = await parts.queued_texts(ADMIN)
    result = f"1 个群发送成功，1 个群没有发送成功：\n{second.number} {second.topic}"
    assert told == f"群发“全体 通知 {'x' * 14}…”已完成：{result}"
    assert first.topic not in told


async def test_success_is_reported_shortly(parts: Parts) -> None:
    reports = parts.container.outbox.results._on_sent[-1].__self__  # type: ignore[attr-defined]
    await parts.group()
    broadcasts = parts.container.broadcasts
    for text in ("x" * 20, "withdrawn"):
        await parts.write(partial(broadcasts.ask, account=ACCOUNT, by=ADMIN, text=text))
        asked = await broadcasts.unconfirmed(ACCOUNT, ADMIN)
        assert asked is not None
        await parts.write(partial(broadcasts.send, broadcast=asked))
    await parts.write(lambda s: parts.container.sent_broadcasts.cancel(s, 2, "x"))
    await end_messages(parts, SENT, CANCELLED)
    jobs = await broadcast_jobs(parts)
    for job in jobs:
        await parts.write(partial(reports.sent, job=job))
    assert await parts.queued_texts(ADMIN) == [f"群发“{'x' * 20}”已完成：1 个群全部发送成功。"]


@pytest.mark.parametrize(("count", "lines"), [(20, 20), (21, 21)])
async def test_at_most_twenty_failed_groups_are_named(parts: Parts, count: int, lines: int) -> None:
    reports = parts.container.outbox.results._on_sent[-1].__self__  # type: ignore[attr-defined]
    await put(parts.container.store, *(qun(number) for number in range(1, count + 1)))
    topics = await parts.read(lambda s: reports._topics(s, list(range(1, count + 1))))
    found = topics.split("\n")
    assert (len(found), found[0], found[-1]) == (lines, "1 群1", "…" if count > 20 else "20 群20")
