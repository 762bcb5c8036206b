"""The history of conversations: what is stored of a message, and how it is read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from sqlmodel import Session, col, select

from models.conversations import StoredMessage
from models.db import Store
from services.changes import ChangeFeed, ChangeKind
from services.messaging.conversations import Conversations, as_one_line, with_quoted_text, without_login_link
from services.messaging.loop_detector import LoopDetector
from services.messaging.media import StoredFile
from tests.services.clock import Clock
from wechat.events import MessageKind, PrivateMessage

MAX_TEXT = 8000

AT = datetime(2026, 1, 2, tzinfo=UTC)
T = TypeVar("T")


def message(text: str = "hi", kind: MessageKind = MessageKind.TEXT, **more: Any) -> PrivateMessage:
    return PrivateMessage(
        **{"account": "a", "id": "m1", "at": AT, "contact_id": "x", "name": "宋公明", **more}, text=text, kind=kind
    )


class History:
    """Conversations over a database."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.loops = LoopDetector(clock)
        self.changes = ChangeFeed()
        self.stored = Conversations(clock, self.loops, self.changes)

    async def write(self, fn: Callable[[Session], T]) -> T:
        return await self.store.write(fn)

    async def incoming(self, message: PrivateMessage, **more: Any) -> None:
        await self.write(lambda s: self.stored.record_incoming(s, message, **more))

    async def outgoing(self, to: str = "x", **body: Any) -> None:
        full = {"type": "text", **body}
        await self.write(lambda s: self.stored.record_outgoing(s, "a", to, full))

    async def rows(self) -> list[StoredMessage]:
        return list(
            await self.store.read(lambda s: s.exec(select(StoredMessage).order_by(col(StoredMessage.id))).all())
        )


@pytest.fixture
def history(sqlite_store: Store, clock: Clock) -> History:
    return History(sqlite_store, clock)


# ---- texts ----


@pytest.mark.parametrize(
    ("kind", "text", "line"),
    [
        ("text", "<b> hi ", "<b> hi "),
        ("image", "", "[图片]"),
        ("image", " a.png ", "[图片] a.png"),
        ("link", "<xml>", "[链接]"),
        ("link", "  <xml>", "[链接]"),
        ("recalled", "text", "[撤回了一条消息]"),
        ("contact", "x", "[名片] x"),
        ("system", "x", "[消息] x"),
        ("file", "n" * 201, "[文件] " + "n" * 200),
    ],
)
def test_message_is_shown_as_one_line(kind: str, text: str, line: str) -> None:
    assert as_one_line(kind, text) == line


def test_quote_is_part_of_the_full_text() -> None:
    assert with_quoted_text(message(), "hi") == "hi"
    assert with_quoted_text(message(quoted="before"), "hi") == f"「before」\n{'- ' * 14}-\nhi"
    assert with_quoted_text(message(quoted_kind=MessageKind.IMAGE), "hi").startswith("「[图片]」\n")


def test_secret_of_a_login_link_is_not_shown() -> None:
    assert without_login_link("http://h/console/login/aB-_9 ok") == "http://h/console/login/… ok"
    assert without_login_link("http://h/console/") == "http://h/console/"


# ---- storing ----


async def test_received_message_is_stored(history: History) -> None:
    await history.incoming(message("x" * (MAX_TEXT + 1)), ticket=7)
    (row,) = await history.rows()
    assert (row.account, row.conversation, row.by, row.at, row.kind) == ("a", "x", "x", AT.timestamp(), "text")
    assert (row.text, row.media, row.message_id, row.ticket) == ("x" * MAX_TEXT, "", "m1", 7)
    assert (row.staff, row.outbox_key, row.internal) == ("", "", False)


@pytest.mark.parametrize(
    ("kind", "stored"), [(MessageKind.FILE, "a.pdf"), (MessageKind.AUDIO, "a.pdf"), (MessageKind.TEXT, "words")]
)
async def test_stored_file_names_the_message_unless_it_is_a_text(
    history: History, kind: MessageKind, stored: str
) -> None:
    await history.incoming(message("words", kind), stored_file=StoredFile("/media/1", "a.pdf"))
    (row,) = await history.rows()
    assert (row.text, row.media) == (stored, "/media/1")


async def test_target_of_a_link_is_stored_with_its_title(history: History) -> None:
    await history.incoming(message("title", MessageKind.LINK, target="http://u"))
    await history.incoming(message("title", MessageKind.LINK))
    await history.incoming(message("title", MessageKind.CARD, target="y"))
    assert [row.text for row in await history.rows()] == ["title\nhttp://u", "title", "title"]


async def test_sent_message_is_stored(history: History, clock: Clock) -> None:
    await history.outgoing(text="Hi /console/login/abc", staff="s", ticket=3, key="k", message="m9")
    await history.outgoing(type="link", title="title", url="u")
    await history.outgoing(type="file", path="/media/1", name="a.png")
    await history.outgoing(type="contact", id="y")
    await history.outgoing(text="relayed to staff", relays=3)
    first, link, file, card = await history.rows()
    assert (first.account, first.conversation, first.by, first.at) == ("a", "x", "", clock.now)
    assert (first.text, first.staff, first.ticket, first.outbox_key) == ("Hi /console/login/…", "s", 3, "k")
    assert (first.message_id, first.media, first.internal) == ("m9", "", False)
    assert [(row.kind, row.text, row.media) for row in (link, file, card)] == [
        ("link", "title", ""), ("file", "a.png", "/media/1"), ("contact", "", ""),
    ]  # fmt: skip
    assert history.loops.is_echo("a", "x", "title")
    assert not history.loops.is_echo("a", "x", "relayed to staff")


async def test_long_sent_text_is_cut(history: History) -> None:
    await history.outgoing(text="y" * (MAX_TEXT + 1))
    await history.write(lambda s: history.stored.add_note(s, "a", "x", 3, "s", "z" * (MAX_TEXT + 1)))
    assert [len(row.text) for row in await history.rows()] == [MAX_TEXT, MAX_TEXT]


async def test_changes_of_tickets_are_published(history: History) -> None:
    await history.incoming(message())
    assert history.changes.after(0) == []
    await history.incoming(message(), ticket=0)
    await history.outgoing(text="hi", ticket=5)
    await history.write(lambda s: history.stored.add_note(s, "a", "x", 6, "s", "note"))
    await history.write(lambda s: history.stored.announce_change(s, 7))
    found = [(change.kind, change.facts) for change in history.changes.after(0)]
    assert found == [(ChangeKind.TICKET, {"id": number}) for number in (0, 5, 6, 7)]


# ---- reading ----


async def _say(history: History, *texts: str, account: str = "a", who: str = "x", ticket: int | None = None) -> None:
    for text in texts:
        await history.incoming(message(text, account=account, contact_id=who), ticket=ticket)


async def test_newest_messages_are_read_oldest_first(history: History) -> None:
    await _say(history, "other account", account="b")
    await _say(history, "other person", who="y")
    await _say(history, "one", "two", "three")
    await history.write(lambda s: history.stored.add_note(s, "a", "x", 1, "s", "note"))

    def last(limit: int, after: int = 0) -> Callable[[Session], list[str]]:
        return lambda s: [row.text for row in history.stored.last(s, "a", "x", limit, after)]

    assert await history.write(last(2)) == ["two", "three"]
    assert await history.write(last(9)) == ["one", "two", "three"], "without notes"
    assert await history.write(last(9, after=3)) == ["two", "three"]
    assert await history.write(lambda s: history.stored.count(s, "a", "x", 0)) == 3
    assert await history.write(lambda s: history.stored.count(s, "a", "x", 4)) == 1
    assert await history.write(lambda s: history.stored.count(s, "a", "z", 0)) == 0


async def test_messages_of_the_same_transaction_are_read(history: History) -> None:
    def write(session: Session) -> list[Any]:
        stored = history.stored
        stored.record_incoming(session, message("one"), ticket=4)
        found: list[Any] = [stored.count(session, "a", "x", 0)]
        stored.record_incoming(session, message("two", id="m2"), ticket=4)
        found.append([row.text for row in stored.last(session, "a", "x", 9)])
        stored.record_incoming(session, message("three", id="m3"), ticket=9)
        found += [stored.recalled(session, "a", "x", "m3")]
        stored.record_incoming(session, message("four"), ticket=8)
        found += [stored.first_of(session, 8)]
        stored.add_note(session, "a", "x", 4, "s", "note")
        found += [stored.notes(session, "a", "x", 9)]
        stored.record_incoming(session, message("", MessageKind.IMAGE, id="m5"))
        stored.record_file(session, "a", "x", "m5", StoredFile("/media/1", "a.png"))
        return found

    assert await history.write(write) == [1, ["one", "two"], "three", 4, ["note"]]
    assert (await history.rows())[-1].media == "/media/1"


async def test_recalled_message_is_shown(history: History) -> None:
    await history.incoming(message("a.png", MessageKind.IMAGE))
    await history.incoming(message("of another", contact_id="y", id="m2"))
    await history.incoming(message("without id", id=""))

    def recalled(who: str, id: str) -> Callable[[Session], str]:
        return lambda s: history.stored.recalled(s, "a", who, id)

    assert await history.write(recalled("x", "m1")) == "[图片] a.png"
    assert [await history.write(recalled("x", id)) for id in ("m2", "m9", "")] == ["", "", ""]


async def test_first_message_of_a_ticket(history: History) -> None:
    await _say(history, "before")
    await _say(history, "one", "two", ticket=3)
    assert await history.write(lambda s: history.stored.first_of(s, 3)) == 2
    assert await history.write(lambda s: history.stored.first_of(s, 4)) == 0


async def test_newest_notes_are_read_oldest_first(history: History) -> None:
    for who, text in (("x", "one"), ("y", "of another"), ("x", "two"), ("x", "three")):
        await history.write(lambda s, w=who, t=text: history.stored.add_note(s, "a", w, 1, "s", t))  # type: ignore[misc]
    await _say(history, "no note")
    assert await history.write(lambda s: history.stored.notes(s, "a", "x", 2)) == ["two", "three"]
    row = (await history.rows())[0]
    assert (row.by, row.staff, row.kind, row.ticket, row.internal) == ("", "s", "text", 1, True)


async def test_file_of_a_message_is_stored_once(history: History) -> None:
    await history.incoming(message("", MessageKind.OTHER))
    await history.incoming(message("", MessageKind.IMAGE, id="m2"))
    await history.incoming(message("", MessageKind.OTHER, id="m3"))
    for id in ("m1", "m2"):
        kept = StoredFile(f"/media/{id}", f"{id}.pdf")
        await history.write(lambda s, i=id, k=kept: history.stored.record_file(s, "a", "x", i, k))  # type: ignore[misc]
    await history.write(lambda s: history.stored.record_missing_file(s, "a", "x", "m1", "too late"))
    await history.write(lambda s: history.stored.record_missing_file(s, "a", "x", "m3", "no file"))
    found = [(row.kind, row.text, row.media) for row in await history.rows()]
    assert found == [("file", "m1.pdf", "/media/m1"), ("image", "m2.pdf", "/media/m2"), ("other", "no file", "")]
