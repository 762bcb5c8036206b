"""Delivery of queued messages: every kind, failures and repetitions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from errors import (
    WeChatNotYet,
    WeChatOffline,
    WeChatRefused,
    WeChatTaken,
    WeChatTooFast,
    WeChatUnknown,
    WeChatUnsupported,
)
from models.durable import Priority, WorkState
from services.messaging import messages as outgoing
from services.work.job import Cancelled, GiveUp, Job, Retry
from tests.services.messages_harness import A, Desk, desk
from wechat.entities import Link, MiniProgram
from wechat.interface import PUPPET, Capability

__all__ = ["desk"]


# ---- sending ----


async def test_every_kind_is_sent(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"png")
    link, program = Link("t", "http://u", "d", "http://p"), MiniProgram("id", "t", "u", "p", "d")
    bodies = [
        outgoing.text("hi"),
        outgoing.choices("pick", ["1"]),
        outgoing.file(tmp_path / "a.png", "b.png"),
        outgoing.link(link),
        outgoing.contact("y"),
        outgoing.mini_program(program),
        {"type": "hand_over", "relays": 1},
        {"type": "end_session"},
    ]
    results = [await desk.deliver(body) for body in bodies]
    assert results == ["msg-1", "msg-2", "msg-3", "msg-4", "c-1", "p-1", "", ""]
    key = {"key": "7"}
    assert desk.wechat.did == [
        ("text", "x", "hi", (), {"choices": (), **key}),
        ("text", "x", "pick", (), {"choices": ["1"], **key}),
        ("media", "x", "b.png", b"png", key),
        ("link", "x", link, key),
        ("contact", "x", "y", key),
        ("program", "x", program, key),
        ("hand over", "x"),
        ("end session", "x"),
    ]
    desk.wechat.directory.put_room(__import__("wechat.entities").entities.Room("x"))
    assert await desk.deliver({"type": "leave"}) == ""
    assert desk.wechat.calls[-1] == "leave_room"
    with pytest.raises(ValueError, match="unknown message type 'fax'"):
        await desk.deliver({"type": "fax"})


async def test_missing_names_of_mentioned_people_are_put_in_front(desk: Desk) -> None:
    for id, name in (("a", "甲"), ("b", "乙"), ("c", ""), ("d", "丁")):
        desk.wechat.knows(id, name)
    known = desk.wechat.contact

    async def contact(contact_id: str, *, fresh: bool = False) -> Any:
        if contact_id == "gone":
            raise WeChatRefused("ContactPayload", "no such contact")
        return await known(contact_id)

    desk.wechat.contact = contact  # type: ignore[method-assign]
    await desk.deliver(outgoing.text("@乙 开会", ["gone", "a", "b", "c", "d"]))
    assert desk.wechat.sent == [("x", "@甲\u2005@丁\u2005@乙 开会", ("gone", "a", "b", "c", "d"))]


@pytest.mark.parametrize("started", [True, False])
async def test_broadcast_is_marked_before_it_is_sent(desk: Desk, started: bool) -> None:
    job = await desk.say("x", "hi", priority=Priority.BROADCAST)
    if not started:
        await desk.store.write(lambda s: desk.outbox.cancel(s, [job.id], [A]))
    result = await desk.messages._deliver(job)
    assert result == ("msg-1" if started else Cancelled())
    (row,) = await desk.rows()
    assert row.state == (WorkState.SENDING if started else WorkState.CANCELLED)
    assert len(desk.wechat.sent) == started


async def test_waiting_texts_are_joined_only_where_messages_are_limited(desk: Desk) -> None:
    async def joined(limited: bool, *waiting: str) -> list[Any]:
        desk.wechat.capabilities = PUPPET - {Capability.WRITE_FIRST} if limited else PUPPET
        desk.wechat.did.clear()
        desk.outbox.serve("wx", desk.messages._deliver)
        jobs = [Job(number, f"wx:{A}", "x", outgoing.text(text)) for number, text in enumerate(("now", *waiting))]
        desk.outbox.jobs_behind = lambda job: jobs[1:]  # type: ignore[method-assign]
        desk.outbox.merge = partial(_keep, desk.wechat.did)  # type: ignore[method-assign]
        await desk.messages._deliver(jobs[0])
        return [call for call in desk.wechat.did if call[0] != "text"]

    assert await joined(False, "one", "two") == []
    assert await joined(True) == []
    assert await joined(True, "one", "two") == [("left", "x", "0"), ("joined", "one\ntwo")]


async def _keep(done: list[Any], host: Job, guests: list[Job], text: str) -> None:
    done.append(("joined", text))


# ---- failures ----

TEXT, FILE = outgoing.text("hi"), {"type": "file", "path": "/nowhere", "name": "a"}


STAFF, HAND_OVER = {**TEXT, "staff": "s"}, {"type": "hand_over", "relays": 1}


@pytest.mark.parametrize(
    ("error", "body", "values", "result"),
    [
        (WeChatOffline("c"), TEXT, {}, Retry(1.0, "c", counts=False)),
        (WeChatTaken("c"), TEXT, {}, Retry(60.0, "c", counts=False)),
        (WeChatTaken("c"), STAFF, {}, GiveUp("c")),
        (WeChatTaken("c"), HAND_OVER, {}, GiveUp("c")),
        (WeChatNotYet("c"), STAFF, {}, Retry(60.0, "c", counts=False)),
        (WeChatUnknown("c"), TEXT, {}, Retry(1.0, "c")),
        (WeChatUnknown("c"), TEXT, {"attempts": 5}, Retry(900.0, "c")),
        (WeChatUnknown("c"), TEXT, {"attempts": 6}, GiveUp("c", unknown=True)),
        (WeChatTooFast("c"), TEXT, {"attempts": 1}, Retry(60.0, "c")),
        (WeChatTooFast("c"), TEXT, {"attempts": 6}, GiveUp("c")),
        (WeChatRefused("c"), TEXT, {}, Retry(2.0, "c")),
        (WeChatRefused("c"), TEXT, {"attempts": 3}, Retry(300.0, "c")),
        (WeChatRefused("c"), TEXT, {"attempts": 4}, GiveUp("c")),
        (WeChatUnsupported("c"), TEXT, {}, GiveUp("c")),
    ],
)
async def test_failed_message_is_retried_or_given_up(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    body: dict[str, Any],
    values: dict[str, Any],
    result: Any,
) -> None:
    async def fail(*_: Any, **__: Any) -> str:
        raise error

    monkeypatch.setattr(desk.wechat, "send_text", fail)
    monkeypatch.setattr(desk.wechat, "hand_over", fail)
    assert await desk.deliver(body, **values) == result
    assert (desk.rate_limiter.slow_until > 0) == isinstance(error, WeChatTooFast)


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (WeChatRefused("c"), [2, 10, 60, 300]),
        (WeChatUnknown("c"), [1, 2, 5, 30, 300, 900]),
        (WeChatTooFast("c"), [30, 60, 300, 900, 1800, 3600]),
    ],
)
async def test_waits_between_attempts(desk: Desk, error: Exception, waits: list[int]) -> None:
    desk.wechat.fails["send_text"] = error
    found = [await desk.deliver(TEXT, attempts=attempts) for attempts in range(len(waits) + 1)]
    assert [result.again_in for result in found[:-1]] == waits
    assert isinstance(found[-1], GiveUp)


async def test_broadcast_of_unknown_result_is_not_repeated(desk: Desk) -> None:
    desk.wechat.fails["send_text"] = WeChatUnknown("c")
    job = await desk.say("x", "hi", priority=Priority.BROADCAST)
    assert await desk.messages._deliver(job) == GiveUp("c", unknown=True)


async def test_file_is_retried_twice(desk: Desk, tmp_path: Path) -> None:
    missing = [await desk.deliver(FILE, attempts=attempts) for attempts in range(3)]
    assert [type(result).__name__ for result in missing] == ["Retry", "Retry", "GiveUp"]
    assert [result.again_in for result in missing[:2]] == [2.0, 10.0]
    (tmp_path / "a").write_bytes(b"a")
    desk.wechat.fails["send_media"] = WeChatTooFast("c")
    assert await desk.deliver(outgoing.file(tmp_path / "a"), attempts=2) == Retry(300.0, "c"), "the usual long waits"
