"""Context of an event being handled. It collects the handler's effects and commits them in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlmodel import Session

from app.container import Container
from models.durable import Priority
from services.decision import Decision
from services.messaging.media import StoredFile
from services.messaging.messages import Body, choices, text
from services.work.inbox_table import end_event
from wechat.events import Event
from wechat.interface import WeChat


class EventContext:
    """The context passed to handlers. Nothing is written or sent before the handler has returned."""

    def __init__(self, container: Container, event: Event, row: int) -> None:
        self.container = container
        self.event = event
        self.row = row
        self.is_old = container.account_clocks.is_old(event.account, event.at.timestamp())
        self.voice: StoredFile | None = None  # the file of a voice message; its transcript is the event's text
        self._writes: list[Callable[[Session], Any]] = []
        self._after: list[Callable[[], None]] = []

    @property
    def wechat(self) -> WeChat:
        """The account that received the event."""
        return self.container.accounts.get(self.event.account)

    def write(self, fn: Callable[[Session], Any]) -> None:
        """Run `fn` in the event's transaction. It may run twice, and must only use its session."""
        self._writes.append(fn)

    def after(self, fn: Callable[[], None]) -> None:
        """Call `fn` after the commit of the event's transaction."""
        self._after.append(fn)

    def reply(self, body: Body | str, *, mentions: Sequence[str] = (), priority: str = Priority.REPLY) -> None:
        """Send a message to the event's conversation."""
        self.send(self.event.conversation, body, mentions=mentions, priority=priority)

    def send(self, to: str, body: Body | str, *, mentions: Sequence[str] = (), priority: str = Priority.REPLY) -> None:
        """Send a message from the event's account."""
        full = text(body, mentions) if isinstance(body, str) else body
        self.write(lambda s: self.container.messages.queue(s, self.event.account, to, full, priority=priority))

    def execute(self, decision: Decision) -> None:
        """Execute a decision of a service."""
        if decision.reply:
            self.reply(choices(decision.reply, decision.choices))
        if decision.write:
            self.write(decision.write)
        if decision.after:
            self.after(decision.after)

    async def end(self, handler: str) -> None:
        """Commit all effects together with the end of the event."""

        def commit(session: Session) -> None:
            for fn in self._writes:
                fn(session)
            end_event(session, self.event.account, self.row, handler)

        await self.container.store.write(commit)
        for fn in self._after:
            fn()
