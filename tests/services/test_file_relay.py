"""Files of customers and staff: at once, later, or not at all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from errors import WeChatRefused
from models.support import TicketState
from services.messaging import media
from services.support import file_relay
from services.support.file_relay import FileRelay
from services.support.ticket_relay import UNAVAILABLE
from services.work.job import Job, Retry
from tests.doubles import InMemoryWeChat
from tests.services.parts import ACCOUNT, STAFF, XUAN, OpenParts, Parts
from tests.services.staffed import ROOM, in_memory, message, open_ticket, receive
from wechat.entities import Media
from wechat.events import GroupMessage, MessageKind, StaffMessage
from wechat.interface import State


class Files(InMemoryWeChat):
    """An account whose messages have files; `holds` and `fails` work for "image" and "file"."""

    async def image(self, message_id: str) -> Media:
        await self._call("image")
        return Media("照片.jpg", message_id.encode())

    async def file(self, message_id: str) -> Media:
        await self._call("file")
        return Media("合同.pdf", message_id.encode())


@pytest.fixture
async def desk(open_parts: OpenParts, monkeypatch: pytest.MonkeyPatch) -> Parts:
    monkeypatch.setattr(media, "RETRY_SECONDS", 0.0)
    return await open_parts(Files(ACCOUNT))


def relay(parts: Parts) -> FileRelay:
    return parts.container.files


def picture(parts: Parts, kind: MessageKind = MessageKind.IMAGE, id: str = "m-1") -> Any:
    return message(parts, "", id=id, kind=kind)


# ---- at once ----


async def test_available_file_is_returned_with_the_message(desk: Parts) -> None:
    said, stored, later = await relay(desk).fetch_quickly(desk.wechat.whole(), picture(desk))
    assert stored is not None and stored.name == "照片.jpg" and not later
    assert said.kind is MessageKind.IMAGE
    said, stored, later = await relay(desk).fetch_quickly(desk.wechat.whole(), picture(desk, MessageKind.OTHER))
    assert said.kind is MessageKind.FILE, "it turned out to be one"
    assert stored is not None and not later


async def test_text_has_no_file(desk: Parts) -> None:
    text = message(desk, "在吗")
    assert await relay(desk).fetch_quickly(desk.wechat.whole(), text) == (text, None, False)
    assert desk.wechat.calls == []


async def test_slow_file_is_fetched_later_and_so_are_the_next(desk: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(file_relay, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(file_relay, "QUICK_TIMEOUT", 0.001)
    desk.wechat.holds["image"] = asyncio.Event()
    said = picture(desk)
    assert await relay(desk).fetch_quickly(desk.wechat.whole(), said) == (said, None, True)
    monkeypatch.setattr(file_relay, "QUICK_TIMEOUT", 30)
    del desk.wechat.holds["image"]
    now[0] += 59.9
    assert await relay(desk).fetch_quickly(desk.wechat.whole(), said) == (said, None, True)
    assert desk.wechat.calls == ["image"]
    now[0] += 0.1
    _, stored, later = await relay(desk).fetch_quickly(desk.wechat.whole(), said)
    assert stored is not None and not later


# ---- later ----


async def test_fetch_is_queued(desk: Parts) -> None:
    at = datetime.fromtimestamp(desk.clock.now, UTC)
    in_room = GroupMessage(ACCOUNT, "m-2", at, STAFF, "店长", "", MessageKind.FILE, room_id=ROOM)
    by_staff = StaffMessage(ACCOUNT, "m-3", at, XUAN, STAFF, "", MessageKind.AUDIO)
    await desk.write(lambda s: relay(desk).fetch_later(s, picture(desk)))
    await desk.write(lambda s: relay(desk).fetch_later(s, in_room, ticket=1, name="店长"))
    await desk.write(lambda s: relay(desk).fetch_later(s, by_staff))
    jobs = await desk.queued("fetch")
    assert [(job.queue, job.key) for job in jobs] == [(f"fetch:{ACCOUNT}", f"m-{number}") for number in (1, 2, 3)]
    assert [job.body for job in jobs] == [
        {"message": "m-1", "kind": "image", "from": XUAN},
        {"message": "m-2", "kind": "file", "from": STAFF, "room": ROOM, "ticket": 1, "name": "店长"},
        {"message": "m-3", "kind": "audio", "from": XUAN},
    ]


async def test_files_of_the_six_latest_messages_are_fetched(desk: Parts) -> None:
    for number in range(7):
        await receive(desk, "", id=f"p-{number}", kind=MessageKind.IMAGE)
    await desk.write(lambda s: relay(desk).fetch_recent(s, ACCOUNT, XUAN))
    jobs = await desk.queued("fetch")
    assert [job.key for job in jobs] == [f"p-{number}" for number in range(1, 7)]
    assert jobs[0].body == {"message": "p-1", "kind": "image", "from": XUAN, "row": 2}


async def test_only_customers_files_that_are_missing_are_fetched(desk: Parts) -> None:
    await receive(desk, "在吗")
    await receive(desk, "", id="e-1", kind=MessageKind.EMOTICON)
    stored = media.StoredFile("/media/1.jpg", "照片.jpg")
    conversations = desk.container.conversations
    await desk.write(lambda s: conversations.record_incoming(s, picture(desk), stored_file=stored))
    sent = {"type": "file", "path": "", "name": "价目表.pdf"}
    await desk.write(lambda s: conversations.record_outgoing(s, ACCOUNT, XUAN, sent))
    await desk.write(lambda s: relay(desk).fetch_recent(s, ACCOUNT, XUAN))
    assert await desk.queued("fetch") == []


async def deliver(parts: Parts, kind: str = "image", **body: Any) -> str | Retry:
    job = Job(1, f"fetch:{ACCOUNT}", "m-1", {"message": "m-1", "kind": kind, "from": XUAN, **body})
    return await relay(parts)._deliver(job)


async def texts_of(parts: Parts) -> list[tuple[str, str]]:
    rows = await parts.read(lambda s: parts.container.conversations.last(s, ACCOUNT, XUAN, 9))
    return [(row.text, row.kind) for row in rows]


async def test_fetched_file_is_stored_and_sent_to_staff(desk: Parts) -> None:
    await receive(desk, "", id="m-1", kind=MessageKind.OTHER)
    await open_ticket(desk)
    changes = desk.container.changes
    before = changes.last
    assert await deliver(desk, "other") == ""
    assert await texts_of(desk) == [("合同.pdf", "file")]
    (sent,) = await desk.queued()
    assert (sent.key, sent.body["type"], sent.body["name"], sent.body["relays"]) == (ROOM, "file", "合同.pdf", 1)
    assert [change.facts for change in changes.after(before)] == [{"id": 1}], "console pages are notified"


async def test_missing_file_is_reported_to_staff(desk: Parts) -> None:
    await receive(desk, "", id="m-1", kind=MessageKind.IMAGE)
    await open_ticket(desk)
    desk.wechat.fails["image"] = WeChatRefused("Image", "no")
    assert await deliver(desk) == ""
    assert await texts_of(desk) == [(UNAVAILABLE, "image")]
    assert await desk.queued_texts(ROOM) == [f"【#1 黑旋风】[图片]{UNAVAILABLE}"]


async def test_message_of_unknown_kind_without_a_file_is_not_reported(desk: Parts) -> None:
    await receive(desk, "", id="m-1", kind=MessageKind.OTHER)
    await open_ticket(desk)
    desk.wechat.fails["file"] = WeChatRefused("File", "no")
    assert await deliver(desk, "other") == ""
    assert await texts_of(desk) == [("", "other")]
    assert await desk.queued() == []


@pytest.mark.parametrize("values", [None, {"state": TicketState.WAITING}, {"room_id": ""}])
async def test_file_is_only_stored_without_an_open_ticket_in_a_room(desk: Parts, values: dict[str, Any] | None) -> None:
    await receive(desk, "", id="m-1", kind=MessageKind.IMAGE)
    if values is not None:
        await open_ticket(desk, **values)
    assert await deliver(desk) == ""
    assert await texts_of(desk) == [("照片.jpg", "image")]
    assert await desk.queued() == []


async def test_slow_file_is_missing_or_tried_again_while_offline(desk: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_relay, "TIMEOUT", 0.001)
    desk.wechat.holds["image"] = asyncio.Event()
    await receive(desk, "", id="m-1", kind=MessageKind.IMAGE)
    desk.wechat.state = State.CONNECTING
    assert await deliver(desk) == Retry(1.0, "the account is offline", counts=False)
    assert await texts_of(desk) == [("", "image")]
    desk.wechat.state = State.ONLINE
    assert await deliver(desk) == ""
    assert await texts_of(desk) == [(UNAVAILABLE, "image")]


# ---- files of staff ----


async def deliver_answer(parts: Parts, kind: str = "image", ticket: int = 1) -> None:
    body = {"ticket": ticket, "name": "店长", "room": ROOM, "from": STAFF}
    assert await deliver(parts, kind, **body) == ""


async def test_file_of_staff_is_sent_to_the_customer(desk: Parts) -> None:
    ticket = await open_ticket(desk, staff_id=STAFF)
    await deliver_answer(desk)
    sent, told = await desk.queued()
    assert (sent.key, sent.body["name"], sent.body["staff"]) == (XUAN, "照片.jpg", STAFF)
    texts = desk.container.config.texts
    assert (told.key, told.body["text"]) == (ROOM, texts.ticket_file_sent.format(number=1, name="黑旋风", kind="图片"))
    assert in_memory(desk, ticket).answered_at == desk.clock.now


async def test_missing_file_of_staff_is_reported_to_them(desk: Parts) -> None:
    await open_ticket(desk)
    desk.wechat.fails["image"] = WeChatRefused("Image", "no")
    await deliver_answer(desk)
    lost = desk.container.config.texts.ticket_file_lost
    assert await desk.queued_texts(ROOM) == [lost.format(number=1, name="黑旋风", kind="图片")]
    assert await desk.queued_texts(XUAN) == []


async def test_nothing_is_sent_without_ticket_or_file(desk: Parts) -> None:
    await open_ticket(desk)
    await deliver_answer(desk, ticket=99)
    desk.wechat.fails["file"] = WeChatRefused("File", "no")
    await deliver_answer(desk, "other")
    assert await desk.queued() == []
    del desk.wechat.fails["file"]
    await deliver_answer(desk, "other")
    assert [job.key for job in await desk.queued()] == [XUAN, ROOM, ROOM], "a file of unknown kind is one"
