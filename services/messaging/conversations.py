"""Conversation history, written in the transaction of the event or the outgoing message."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import ColumnElement, func, update
from sqlmodel import Session, col, select

from models.bulk_insert import in_bulk, write_bulk
from models.conversations import StoredMessage
from models.db import after_commit
from models.row_statements import insert_rows
from services.changes import ChangeFeed, ChangeKind
from services.clock import Clock
from services.messaging.loop_detector import LoopDetector
from services.messaging.media import StoredFile
from services.text import with_quote
from wechat.events import Message, MessageKind

_DEFAULTS: Final = {"staff": "", "media": "", "message_id": "", "ticket": None, "outbox_key": "", "internal": False}
_INSERT = insert_rows(StoredMessage, ("account", "conversation", "by", "at", "kind", "text", *_DEFAULTS))
MAX_TEXT = 8000  # characters stored per message
KIND_NAMES = {
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
    """Remove the secret of a login link from a text that is stored or shown."""
    return _LOGIN_LINK.sub(r"\1…", text)


def as_one_line(kind: str, text: str) -> str:
    """Return a message as one line for people. Other kinds than text are named; the platform's XML is not shown."""
    if kind == MessageKind.TEXT:
        return text
    nameless = kind == MessageKind.RECALLED or text.lstrip().startswith("<")
    line = "" if nameless else text.strip()[:200]
    return f"[{KIND_NAMES.get(kind, '消息')}]{' ' if line else ''}{line}"


def with_quoted_text(message: Message, text: str) -> str:
    """Return the text of a message with what it quotes."""
    is_quoting = message.quoted or message.quoted_kind is not MessageKind.TEXT
    return with_quote(text, as_one_line(message.quoted_kind, message.quoted)) if is_quoting else text


class Conversations:
    """Stores the history of conversations."""

    def __init__(self, clock: Clock, loop_detector: LoopDetector, changes: ChangeFeed) -> None:
        self._clock = clock
        self._changes = changes
        self._loop_detector = loop_detector

    def record_incoming(
        self, session: Session, message: Message, *, stored_file: StoredFile | None = None, ticket: int | None = None
    ) -> None:
        """Store a received message, with the path and name of its file if it was fetched."""
        mentioned = (
            stored_file is not None and message.kind is not MessageKind.TEXT
        )  # a transcribed voice message is a text
        text = stored_file.name if stored_file and mentioned else with_quoted_text(message, message.text)
        if message.kind is MessageKind.LINK and message.target:
            text = f"{text}\n{message.target}"
        self._add(
            session,
            account=message.account,
            conversation=message.conversation,
            by=message.contact_id,
            at=message.at.timestamp(),
            kind=message.kind,
            text=text[:MAX_TEXT],
            media=stored_file.path if stored_file else "",
            message_id=message.id,
            ticket=ticket,
        )

    def record_outgoing(self, session: Session, account: str, to: str, body: dict[str, Any]) -> None:
        """Store a message that the assistant is going to send, except messages relayed to staff, which are stored
        already.
        """
        if "relays" in body:
            return
        text = str(body.get("text") or body.get("title") or body.get("name") or "")
        text = without_login_link(text)
        self._add(
            session,
            account=account,
            conversation=to,
            by="",
            staff=body.get("staff", ""),
            at=self._clock(),
            kind=body["type"],
            text=text[:MAX_TEXT],
            media=body.get("path", ""),
            message_id=body.get("message", ""),
            ticket=body.get("ticket"),
            outbox_key=body.get("key", ""),
        )
        after_commit(session, lambda: self._loop_detector.record_sent(account, to, text))

    def add_note(self, session: Session, account: str, contact_id: str, ticket: int, staff: str, text: str) -> None:
        """Store a staff note about a conversation; the customer never sees it."""
        self._add(
            session,
            account=account,
            conversation=contact_id,
            by="",
            staff=staff,
            at=self._clock(),
            kind=MessageKind.TEXT,
            text=text[:MAX_TEXT],
            ticket=ticket,
            internal=True,
        )

    def _add(self, session: Session, **values: Any) -> None:
        in_bulk(session, _INSERT, {**_DEFAULTS, **values})
        if values.get("ticket") is not None:
            after_commit(session, lambda: self._changes.publish(ChangeKind.TICKET, id=values["ticket"]))

    # ---- reading ----

    def last(self, session: Session, account: str, contact_id: str, limit: int, after: int = 0) -> list[StoredMessage]:
        """Return the newest messages of a conversation, oldest first; `after`: only those with a greater id."""
        write_bulk(session)
        query = select(StoredMessage).where(
            StoredMessage.account == account,
            StoredMessage.conversation == contact_id,
            ~col(StoredMessage.internal),
        )
        newest = query.where(col(StoredMessage.id) > after).order_by(col(StoredMessage.id).desc()).limit(limit)
        return list(session.exec(newest).all())[::-1]

    def count(self, session: Session, account: str, contact_id: str, after: int) -> int:
        """Count the messages of a conversation with an id greater than `after`."""
        write_bulk(session)
        query = select(func.count(col(StoredMessage.id))).where(
            StoredMessage.account == account,
            StoredMessage.conversation == contact_id,
            ~col(StoredMessage.internal),
            col(StoredMessage.id) > after,
        )
        return session.exec(query).one()

    def recalled(self, session: Session, account: str, contact_id: str, message_id: str) -> str:
        """Return a recalled message as one line, or "" if it is not stored."""
        write_bulk(session)
        query = select(StoredMessage).where(StoredMessage.account == account, StoredMessage.conversation == contact_id)
        row = session.exec(query.where(StoredMessage.message_id == message_id).limit(1)).first() if message_id else None
        return as_one_line(row.kind, row.text) if row is not None else ""

    def first_of(self, session: Session, ticket: int) -> int:
        """Return the id of the first message of a ticket, or 0."""
        write_bulk(session)
        return session.exec(select(func.min(col(StoredMessage.id))).where(StoredMessage.ticket == ticket)).one() or 0

    def notes(self, session: Session, account: str, contact_id: str, limit: int) -> list[str]:
        """Return the newest staff notes about a person, oldest first."""
        write_bulk(session)
        query = select(StoredMessage.text).where(
            StoredMessage.account == account,
            StoredMessage.conversation == contact_id,
            col(StoredMessage.internal),
        )
        return list(session.exec(query.order_by(col(StoredMessage.id).desc()).limit(limit)).all())[::-1]

    def record_file(
        self, session: Session, account: str, contact_id: str, message_id: str, stored_file: StoredFile
    ) -> None:
        """Store where the file of a private message was saved."""
        self._update(session, account, contact_id, message_id, media=stored_file.path, text=stored_file.name)
        newer = update(StoredMessage).where(
            *_identified_by(account, contact_id, message_id), col(StoredMessage.kind) == MessageKind.OTHER
        )
        session.connection().execute(newer.values(kind=MessageKind.FILE))

    def record_missing_file(self, session: Session, account: str, contact_id: str, message_id: str, text: str) -> None:
        """Store a text in place of the file of a private message that could not be fetched."""
        self._update(session, account, contact_id, message_id, text=text)

    def _update(self, session: Session, account: str, contact_id: str, message_id: str, **values: str) -> None:
        write_bulk(session)
        without_file = update(StoredMessage).where(
            *_identified_by(account, contact_id, message_id), col(StoredMessage.media) == ""
        )
        session.connection().execute(without_file.values(**values))

    def announce_change(self, session: Session, ticket: int) -> None:
        """Announce that messages of a ticket's customer have changed."""
        after_commit(session, lambda: self._changes.publish(ChangeKind.TICKET, id=ticket))


def _identified_by(account: str, contact_id: str, message_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        col(StoredMessage.account) == account,
        col(StoredMessage.conversation) == contact_id,
        col(StoredMessage.message_id) == message_id,
    )
