"""How staff are shown a ticket, and what happens if the staff room or client rejects it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from models.support import Ticket, TicketState
from services.messaging.body_type import BodyType
from services.messaging.media import StoredFile
from services.messaging.messages import text
from services.support.announcements import MAX_SHOWN
from services.work.job import GiveUp, Job
from tests.services.parts import ACCOUNT, STAFF, XUAN, ZHI, OpenParts, Parts
from tests.services.staffed import (
    ADMIN,
    ROOM,
    appoint_admin,
    close,
    in_memory,
    open_staff_room,
    open_ticket,
    receive,
    receive_file,
    stored,
    waiting_ticket,
)
from wechat.events import MessageKind
from wechat.interface import PUPPET, Capability

CONSOLE_ONLY = PUPPET - {Capability.ROOM_MESSAGES}
OWN_CLIENT = CONSOLE_ONLY | {Capability.STAFF_CLIENT, Capability.SESSIONS}


async def announce(parts: Parts, ticket: Ticket, room_id: str = ROOM) -> None:
    await parts.write(lambda s: parts.container.announcements.announce(s, ticket, room_id))


# ---- in the staff room ----


async def test_announcement_shows_the_messages_not_seen_before(parts: Parts) -> None:
    await open_staff_room(parts)
    await receive(parts, "早上好", "我要退货", "人工")
    ticket = await waiting_ticket(parts, told=1, quiet_seconds=7)
    parts.clock.now += 61
    await announce(parts, ticket)
    (shown,) = await parts.queued_texts(ROOM)
    texts = parts.container.config.texts
    history = "16:00 黑旋风：我要退货\n16:00 黑旋风：人工"
    assert shown == "【#1 黑旋风】" + texts.ticket_opened.format(history=history, number=1)
    assert await parts.queued_texts(XUAN) == [texts.handoff]
    now = in_memory(parts, ticket)
    assert (now.state, now.room_id, now.told, now.quiet_seconds) == (TicketState.OPEN, ROOM, 3, 0)
    assert (now.announced_at, now.last_at) == (parts.clock.now,) * 2
    job = next(job for job in await parts.queued() if job.key == ROOM)
    assert (job.body["relays"], job.body["told"]) == (1, 1)


async def test_announcement_without_new_messages(parts: Parts) -> None:
    await open_staff_room(parts)
    await receive(parts, "早上好")
    ticket = await waiting_ticket(parts, told=1)
    await announce(parts, ticket)
    assert in_memory(parts, ticket).told == 1
    assert "早上好" not in (await parts.queued_texts(ROOM))[0]


async def test_closed_ticket_is_not_announced(parts: Parts) -> None:
    await open_staff_room(parts)
    ticket = await waiting_ticket(parts)
    await close(parts, ticket)
    await announce(parts, ticket)
    assert await parts.queued() == []


async def test_people_on_duty_are_mentioned(open_parts: OpenParts) -> None:
    parts = await open_parts(customer_service={"faq": "", "handoff": {"on_duty": ["店长", "智多星"]}})
    await open_staff_room(parts)
    await announce(parts, await waiting_ticket(parts))
    job = next(job for job in await parts.queued() if job.key == ROOM)
    assert job.body["mentions"] == [STAFF], "智多星 is not in the room"


async def test_long_history_is_shown_in_several_messages(parts: Parts) -> None:
    await open_staff_room(parts)
    await receive(parts, "甲" * 900, "乙" * 900)
    await announce(parts, await waiting_ticket(parts))
    first, last = await parts.queued_texts(ROOM)
    assert first.startswith("【#1 黑旋风】\n") and "甲" in first and "请求人工服务" not in first
    assert last.startswith("【#1 黑旋风】请求人工服务") and "乙" in last
    jobs = [job.body for job in await parts.queued() if job.key == ROOM]
    assert [(body["told"], body["relays"]) for body in jobs] == [(0, 1), (0, 1)]


async def test_oldest_messages_are_left_out_of_a_long_history(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_SHOWN == 300
    monkeypatch.setattr("services.support.announcements.MAX_SHOWN", 2)
    await open_staff_room(parts)
    await receive(parts, "一", "二", "三", "四")
    await announce(parts, await waiting_ticket(parts))
    shown = "\n".join(await parts.queued_texts(ROOM))
    assert "（更早的 2 条略）\n" in shown and "：三\n" in shown and "：二\n" not in shown


async def test_notes_are_shown_below_the_messages(parts: Parts) -> None:
    await open_staff_room(parts)
    await receive(parts, "在吗")
    ticket = await waiting_ticket(parts)
    await parts.write(lambda s: parts.container.ticket_actions.add_note(s, ticket, STAFF, "老客户"))
    await announce(parts, ticket)
    shown = (await parts.queued_texts(ROOM))[0]
    assert "在吗\n备注：老客户\n" in shown and "（更早的" not in shown


async def test_files_follow_the_announcement(parts: Parts) -> None:
    """A transcribed voice message is a text with a file; staff read the text."""
    await open_staff_room(parts)
    await receive_file(parts, StoredFile("/media/1.jpg", "照片.jpg"), MessageKind.IMAGE, "m-1")
    await receive_file(parts, StoredFile("/media/2.sil", "语音.sil"), MessageKind.TEXT, "m-2")
    await receive(parts, "人工")
    await parts.write(
        lambda s: parts.container.messages.queue(
            s, ACCOUNT, XUAN, {"type": "file", "path": "/media/3.jpg", "name": "价目表.jpg"}
        )
    )
    await announce(parts, await waiting_ticket(parts))
    files = [job.body for job in await parts.queued() if job.key == ROOM and job.body["type"] == BodyType.FILE]
    assert [(body["path"], body["name"], body["relays"]) for body in files] == [("/media/1.jpg", "照片.jpg", 1)]


async def test_customer_of_a_rejected_ticket_is_not_notified_again(parts: Parts) -> None:
    await open_staff_room(parts)
    await announce(parts, await waiting_ticket(parts, refusals=1))
    assert await parts.queued_texts(XUAN) == []


# ---- without a staff room ----


async def test_ticket_for_the_console_is_announced_to_admins(parts: Parts) -> None:
    appoint_admin(parts)
    parts.wechat.capabilities = CONSOLE_ONLY
    ticket = await waiting_ticket(parts)
    await announce(parts, ticket, "")
    texts = parts.container.config.texts
    assert await parts.queued_texts(XUAN) == [texts.handoff]
    assert await parts.queued_texts(ADMIN) == [texts.ticket_in_console.format(number=1, name="黑旋风")]
    assert in_memory(parts, ticket).state == TicketState.OPEN
    await announce(parts, await waiting_ticket(parts, who=ZHI, name="", refusals=1), "")
    assert (await parts.queued_texts(ADMIN))[-1] == texts.ticket_in_console.format(number=2, name="客户")
    assert await parts.queued_texts(ZHI) == []


async def test_customer_is_handed_to_the_staff_client(parts: Parts) -> None:
    appoint_admin(parts)
    parts.wechat.capabilities = OWN_CLIENT
    await announce(parts, await waiting_ticket(parts), "")
    told, handed = await parts.queued()
    assert told.body["text"] == parts.container.config.texts.handoff
    assert (handed.key, handed.body) == (XUAN, {"type": BodyType.HAND_OVER, "relays": 1})


async def test_missing_room_is_reported_to_admins(parts: Parts) -> None:
    appoint_admin(parts)
    for who, name in ((XUAN, "黑旋风"), (ZHI, "")):
        ticket = await waiting_ticket(parts, who=who, name=name)
        await parts.write(partial(parts.container.announcements.report_missing_room, ticket=ticket))
    text = parts.container.config.texts.no_staff_room
    assert await parts.queued_texts(ADMIN) == [
        text.format(number=1, name="黑旋风"),
        text.format(number=2, name="客户"),
    ]


# ---- rejected ----


async def reject(parts: Parts, key: str = ROOM, body: dict[str, Any] | None = None) -> None:
    job = Job(1, f"wx:{ACCOUNT}", key, body or {**text("请求"), "relays": 1, "told": 2})
    await parts.write(lambda s: parts.container.announcements.delivery_failed(s, job, GiveUp("不在群里")))


async def test_rejected_ticket_waits_and_is_reported_once(parts: Parts) -> None:
    appoint_admin(parts)
    ticket = await open_ticket(parts, told=9)
    await reject(parts)
    now = in_memory(parts, ticket)
    assert (now.state, now.told, now.refusals) == (TicketState.WAITING, 2, 1)
    assert now.not_before == parts.clock.now + 600
    texts = parts.container.config.texts
    reported = texts.ticket_room_refused.format(number=1, name="黑旋风", reason="不在群里")
    assert await parts.queued_texts(XUAN) == [texts.handoff_waiting]
    assert await parts.queued_texts(ADMIN) == [reported]
    await reject(parts)
    assert in_memory(parts, ticket).refusals == 1, "it is waiting already"
    await parts.write(lambda s: parts.container.tickets.change(s, 1, state=TicketState.OPEN, told=1))
    await reject(parts)
    now = in_memory(parts, ticket)
    assert (now.refusals, now.told) == (2, 1)
    assert len(await parts.queued()) == 2


async def test_rejected_relay_shows_the_ticket_from_its_first_message(parts: Parts) -> None:
    await receive(parts, "此前")
    ticket = await open_ticket(parts, told=5)
    await receive(parts, "其一", "其二", ticket=1)
    await reject(parts, body={**text("其二"), "relays": 1})
    assert in_memory(parts, ticket).told == 1
    other = await open_ticket(parts, ZHI, "", told=5)
    await reject(parts, body={**text("其二"), "relays": 2})
    assert in_memory(parts, other).told == 0, "no message is stored with it"


@pytest.mark.parametrize(
    ("key", "body"),
    [
        (ROOM, text("您好")),
        (ROOM, {**text("您好"), "relays": 99}),
        ("other@chatroom", {**text("您好"), "relays": 1}),
        (ROOM, {"type": "file", "path": "/a", "name": "a", "relays": 1}),
    ],
)
async def test_other_failures_leave_the_ticket_open(parts: Parts, key: str, body: dict[str, Any]) -> None:
    ticket = await open_ticket(parts)
    await reject(parts, key, body)
    assert in_memory(parts, ticket).state == TicketState.OPEN
    assert await parts.queued() == []


async def test_ticket_that_the_staff_client_rejects_waits(parts: Parts) -> None:
    appoint_admin(parts)
    ticket = await open_ticket(parts, room_id="", name="")
    await reject(parts, XUAN, {"type": BodyType.HAND_OVER, "relays": 1})
    assert in_memory(parts, ticket).state == TicketState.WAITING
    refused = parts.container.config.texts.ticket_client_refused
    assert await parts.queued_texts(ADMIN) == [refused.format(number=1, name="客户", reason="不在群里")]


async def test_failure_after_the_end_changes_nothing(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    await close(parts, ticket)
    await reject(parts)
    assert (await stored(parts, ticket)).state == TicketState.CLOSED
    assert await parts.queued() == []
