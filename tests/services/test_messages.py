"""Bodies of outgoing messages, and how they are queued."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import Session

from models.durable import Priority
from services.messaging import messages as outgoing
from tests.services.messages_harness import ROOM, A, Desk, desk
from wechat.entities import Link, MiniProgram
from wechat.interface import PUPPET, Capability

__all__ = ["desk"]


MAX_TEXT_LENGTH = 2000


# ---- bodies ----


def test_bodies_contain_what_is_sent() -> None:
    assert outgoing.text("hi") == {"type": "text", "text": "hi"}
    assert outgoing.text("hi", ("x", "y")) == {"type": "text", "text": "hi", "mentions": ["x", "y"]}
    assert outgoing.choices("hi", ["1", "2"]) == {"type": "text", "text": "hi", "choices": ["1", "2"]}
    assert outgoing.choices("hi", []) == {"type": "text", "text": "hi"}
    assert outgoing.file("/tmp/a.png") == {"type": "file", "path": "/tmp/a.png", "name": "a.png"}
    assert outgoing.file(Path("/tmp/a.png"), "b.png")["name"] == "b.png"
    assert outgoing.contact("x") == {"type": "contact", "id": "x"}
    card = outgoing.link(Link("t", "http://u", "d", "http://p"))
    assert card == {"type": "link", "title": "t", "url": "http://u", "description": "d", "thumbnail": "http://p"}
    assert outgoing.mini_program(MiniProgram("id", "t", "u", "p", "d")) == {
        "type": "mini_program", "appid": "id", "title": "t", "username": "u", "page_path": "p", "description": "d",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("length", "mentions", "pieces"),
    [(2000, 0, 1), (2001, 0, 2), (1964, 1, 1), (1965, 1, 2), (1000, 40, 1), (1001, 40, 2), (4000, 0, 2), (4001, 0, 3)],
)
def test_long_text_is_split_with_room_for_the_names(length: int, mentions: int, pieces: int) -> None:
    made = outgoing._pieces(outgoing.text("x" * length, [str(n) for n in range(mentions)]))
    assert len(made) == pieces
    assert all(len(piece["text"]) <= MAX_TEXT_LENGTH for piece in made)


def test_pieces_lose_line_ends_but_are_not_emptied() -> None:
    made = outgoing._pieces({"type": "text", "text": "一" * 1500 + "\n" + "二" * 1500, "also": [3], "ticket": 9})
    assert [piece["text"] for piece in made] == ["一" * 1500, "二" * 1500]
    assert [piece.get("also") for piece in made] == [None, [3]]
    assert [piece["ticket"] for piece in made] == [9, 9]
    blank = outgoing._pieces(outgoing.text("\n" * 2001))
    assert "".join(piece["text"] for piece in blank) == "\n" * 2001, "nothing else is in it"


def test_only_texts_are_split() -> None:
    body = {"type": "link", "text": "x" * 9000}
    assert outgoing._pieces(body) == [body]


# ---- queueing ----


async def test_long_text_is_queued_in_pieces_with_one_key(desk: Desk) -> None:
    text = "一" * 2000 + "二" * 2000 + "三"
    job = await desk.say("x", text, idempotency_key="k", fingerprint="f", priority=Priority.NOTICE, run_at=5.0)
    rows = await desk.rows()
    assert [(row.idempotency_key, row.fingerprint) for row in rows] == [(None, ""), (None, ""), ("k", "f")]
    assert {(row.queue, row.key, row.priority, row.run_at) for row in rows} == {(f"wx:{A}", "x", "b-notice", 5.0)}
    assert job.id == rows[2].id
    assert job.body["also"] == [rows[0].id, rows[1].id], "its state is that of all pieces"
    assert desk.recorded == [(A, "x", {"type": "text", "text": text})], "recorded as one message"


async def test_short_text_is_queued_as_it_is(desk: Desk) -> None:
    job = await desk.say("x", outgoing.text("hi", ["y"]))
    assert job.body == {"type": "text", "text": "hi", "mentions": ["y"]}
    assert job.priority == Priority.REPLY


async def test_pieces_are_added_to_what_is_sent_with_it(desk: Desk) -> None:
    job = await desk.say("x", {"type": "text", "text": "x" * 2001, "also": [99]})
    (first, _) = await desk.rows()
    assert job.body["also"] == [99, first.id]


async def test_actions_are_queued_behind_the_messages(desk: Desk) -> None:
    def write(session: Session) -> None:
        desk.messages.leave(session, A, ROOM)
        desk.messages.hand_over(session, A, "x", 12)
        desk.messages.end_session(session, A, "x")
        desk.messages.end_session(session, "nobody", "x")

    await desk.store.write(write)
    found = [(row.key, row.body, row.priority) for row in await desk.rows()]
    assert found == [
        (ROOM, '{"type": "leave"}', "b-notice"),
        ("x", '{"type": "hand_over", "relays": 12}', "a-reply"),
    ], "the channel has no sessions"
    desk.wechat.capabilities = PUPPET | {Capability.SESSIONS}
    await desk.store.write(lambda s: desk.messages.end_session(s, A, "x"))
    assert (await desk.rows())[-1].body == '{"type": "end_session"}'
