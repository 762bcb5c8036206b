"""Reports the result of a broadcast to its admin in WeChat, once all messages have ended."""

from __future__ import annotations

from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from config.texts import Texts, fill
from models.durable import OutboxItem, Priority, WorkState
from models.groups import Qun
from models.rules import Broadcast, BroadcastState, BroadcastTarget
from services.messaging.messages import Messages
from services.outreach.broadcasts import BROADCAST_ID_KEY
from services.work.job import GiveUp, Job

OPEN: Final = (WorkState.QUEUED, WorkState.SENDING)
MAX_WORDS: Final = 20  # characters of the broadcast that are quoted
MAX_TOPICS: Final = 20


class BroadcastReports:
    """Listener for messages that were sent or have failed."""

    def __init__(self, messages: Messages, texts: Texts) -> None:
        self._messages = messages
        self._texts = texts

    def sent(self, session: Session, job: Job) -> None:
        """Handle a sent message, inside the transaction that records it."""
        if BROADCAST_ID_KEY in job.body:
            self._report(session, job.body[BROADCAST_ID_KEY])

    def failed(self, session: Session, job: Job, _why: GiveUp) -> None:
        """Handle a finally failed message, inside the transaction that records it."""
        self.sent(session, job)

    def _report(self, session: Session, broadcast_id: int) -> None:
        condition = (BroadcastTarget.broadcast == broadcast_id, col(BroadcastTarget.message) == OutboxItem.id)
        if session.exec(select(OutboxItem.id).where(*condition, col(OutboxItem.state).in_(OPEN)).limit(1)).first():
            return
        first = (col(Broadcast.id) == broadcast_id) & col(Broadcast.reported).is_(False)
        first &= col(Broadcast.state) == BroadcastState.SENT  # the admin who cancelled it was already notified
        if not session.connection().execute(update(Broadcast).where(first).values(reported=True)).rowcount:
            return
        broadcast = session.get_one(Broadcast, broadcast_id)
        rows = session.exec(select(BroadcastTarget.number, OutboxItem.state).where(*condition)).all()
        failed = sorted({number for number, state in rows if state != WorkState.SENT})
        sent = len({number for number, _ in rows}) - len(failed)
        report = fill(
            self._texts.broadcast_failed if failed else self._texts.broadcast_done,
            words=_shortened(broadcast.text),
            sent=sent,
            failed=len(failed),
            topics=self._topics(session, failed),
        )
        self._messages.queue(session, broadcast.account, broadcast.by, report, priority=Priority.NOTICE)

    def _topics(self, session: Session, numbers: list[int]) -> str:
        query = select(Qun).where(col(Qun.number).in_(numbers[:MAX_TOPICS])).order_by(col(Qun.number))
        lines = [f"{qun.number} {qun.topic}" for qun in session.exec(query).all()]
        return "\n".join([*lines, "…"] if len(numbers) > MAX_TOPICS else lines)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_WORDS else f"{line[:MAX_WORDS]}…"
