"""What was said, kept: written in the transaction of the event or of the promise it belongs to."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import func, insert, update
from sqlmodel import Session, col, select

from models.bulk_insert import in_bulk, write_bulk
from models.conversations import Said
from models.db import after_commit
from services.changes import ChangeFeed, ChangeKind
from services.clock import Clock
from services.messaging.loop_detector import LoopDetector
from services.messaging.media import Kept
from services.text import with_quote
from wechat.events import Message, MessageKind

_INSERT = insert(Said)
LONGEST = 8000  # characters kept of one message
WORDS = {
    MessageKind.IMAGE: "图片",
    MessageKind.FILE: "文件",
    MessageKind.AUDIO: "语音",
    MessageKind.VIDEO: "视频",
    MessageKind.EMOTICON: "表情",
    MessageKind.CARD: "名片",
    MessageKind.LINK: "链接",
    MessageKind.MINI_PROGRAM: "小程序",
    MessageKind.LOCATION: "位置",
    MessageKind.CHAT_HISTORY: "聊天记录",
    MessageKind.TRANSFER: "转账",
    MessageKind.RED_ENVELOPE: "红包",
    MessageKind.RECALLED: "撤回了一条消息",
    MessageKind.PAT: "拍一拍",
    "contact": "名片",
}


_LOGIN_LINK = re.compile(r"(/console/login/)[\w-]+")


def without_login_link(text: str) -> str:
    """A text as it is kept and shown: whoever reads a login link could use it."""
    return _LOGIN_LINK.sub(r"\1…", text)


def shown(kind: str, text: str) -> str:
    """A message as one line for people; what is no text is named, never shown as the platform's XML."""
    if kind == MessageKind.TEXT:
        return text
    nameless = kind == MessageKind.RECALLED or text.lstrip().startswith("<")
    words = "" if nameless else text.strip()[:200]
    return f"[{WORDS.get(kind, '消息')}]{' ' if words else ''}{words}"


def in_full(message: Message, words: str) -> str:
    """The words of a message with what it quotes."""
    is_quoting = message.quoted or message.quoted_kind is not MessageKind.TEXT
    return with_quote(words, shown(message.quoted_kind, message.quoted)) if is_quoting else words


class Conversations:
    """Keeps conversations for `keep_days`."""

    def __init__(self, clock: Clock, loop_detector: LoopDetector, changes: ChangeFeed) -> None:
        self._clock = clock
        self._changes = changes
        self._loop_detector = loop_detector

    def heard(self, session: Session, message: Message, *, kept: Kept | None = None, ticket: int | None = None) -> None:
        """Keep what somebody said; of a file that was fetched, its path and name."""
        self._add(
            session,
            account=message.account,
            conversation=message.conversation,
            by=message.contact_id,
            at=message.at.timestamp(),
            kind=message.kind,
            text=kept.name if kept else in_full(message, message.text)[:LONGEST],
            media=kept.path if kept else "",
            message_id=message.id,
            ticket=ticket,
        )

    def spoken(self, session: Session, account: str, to: str, body: dict[str, Any]) -> None:
        """Keep what the assistant is going to say; what it passes on to the staff is kept already."""
        if "relays" in body:
            return
        words = str(body.get("text") or body.get("title") or body.get("name") or "")
        words = without_login_link(words)
        self._add(
            session,
            account=account,
            conversation=to,
            by="",
            staff=body.get("staff", ""),
            at=self._clock(),
            kind=body["type"],
            text=words[:LONGEST],
            media=body.get("path", ""),
            ticket=body.get("ticket"),
            outbox_key=body.get("key", ""),
        )
        after_commit(session, lambda: self._loop_detector.spoke(account, to, words))

    def note(self, session: Session, account: str, contact_id: str, ticket: int, staff: str, words: str) -> None:
        """Keep what the staff noted about a conversation; the customer never sees it."""
        self._add(
            session,
            account=account,
            conversation=contact_id,
            by="",
            staff=staff,
            at=self._clock(),
            kind=MessageKind.TEXT,
            text=words[:LONGEST],
            ticket=ticket,
            internal=True,
        )

    def _add(self, session: Session, **values: Any) -> None:
        usual = {"staff": "", "media": "", "message_id": "", "ticket": None, "outbox_key": "", "internal": False}
        in_bulk(session, _INSERT, {**usual, **values})
        if values.get("ticket") is not None:
            after_commit(session, lambda: self._changes.publish(ChangeKind.TICKET, id=values["ticket"]))

    # ---- reading ----

    def last(self, session: Session, account: str, contact_id: str, limit: int, after: int = 0) -> list[Said]:
        """The newest things said in a conversation, oldest first; `after`: only those later than this row."""
        write_bulk(session)
        mine = select(Said).where(Said.account == account, Said.conversation == contact_id, ~col(Said.internal))
        newest = mine.where(col(Said.id) > after).order_by(col(Said.id).desc()).limit(limit)
        return list(session.exec(newest).all())[::-1]

    def count(self, session: Session, account: str, contact_id: str, after: int) -> int:
        """How much was said in a conversation after a row."""
        write_bulk(session)
        mine = select(func.count(col(Said.id))).where(
            Said.account == account, Said.conversation == contact_id, ~col(Said.internal), col(Said.id) > after
        )
        return session.exec(mine).one()

    def recalled(self, session: Session, account: str, contact_id: str, message_id: str) -> str:
        """What a person took back, as one line; nothing when that is not kept."""
        write_bulk(session)
        theirs = select(Said).where(Said.account == account, Said.conversation == contact_id)
        row = session.exec(theirs.where(Said.message_id == message_id).limit(1)).first() if message_id else None
        return shown(row.kind, row.text) if row is not None else ""

    def first_of(self, session: Session, ticket: int) -> int:
        """The row of the first thing said in a ticket; 0 when there is none."""
        write_bulk(session)
        return session.exec(select(func.min(col(Said.id))).where(Said.ticket == ticket)).one() or 0

    def notes(self, session: Session, account: str, contact_id: str, limit: int) -> list[str]:
        """The newest notes of the staff about a person, oldest first."""
        write_bulk(session)
        noted = select(Said.text).where(Said.account == account, Said.conversation == contact_id, col(Said.internal))
        return list(session.exec(noted.order_by(col(Said.id).desc()).limit(limit)).all())[::-1]

    def media_of(self, session: Session, account: str, message_id: str, kept: Kept) -> None:
        """Note where the file of something said was kept."""
        write_bulk(session)
        theirs = update(Said).where(col(Said.account) == account, col(Said.message_id) == message_id)
        session.connection().execute(theirs.values(media=kept.path, text=kept.name))
        other = theirs.where(col(Said.kind) == MessageKind.OTHER)
        session.connection().execute(other.values(kind=MessageKind.FILE))
