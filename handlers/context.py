"""One event being handled: what the handler decides is collected, and written in one transaction with its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlmodel import Session

from app.container import Container
from models.durable import Priority
from services.decision import Decision
from services.messaging.media import Kept
from services.messaging.messages import Body, choices, text
from services.work.inbox_table import end_event
from wechat.events import Event
from wechat.interface import WeChat

OLD_AFTER = 600.0  # seconds: what was said longer than this before the bot began is kept, not answered


class EventContext:
    """What a handler works with. Nothing it promises or changes is done before the handler has returned."""

    def __init__(self, container: Container, event: Event, row: int, began: float = 0.0) -> None:
        self.container = container
        self.event = event
        self.row = row
        self.is_old = event.at.timestamp() < began - OLD_AFTER
        self.voice: Kept | None = None  # the file of a voice message; its words, once read, are the event's text
        self._writes: list[Callable[[Session], Any]] = []
        self._after: list[Callable[[], None]] = []

    @property
    def wechat(self) -> WeChat:
        """The account the event came to."""
        return self.container.accounts.get(self.event.account)

    def write(self, fn: Callable[[Session], Any]) -> None:
        """Have `fn` run in the event's transaction; it may run twice and must touch nothing but its session."""
        self._writes.append(fn)

    def after(self, fn: Callable[[], None]) -> None:
        """Have `fn` called once the event's transaction is in."""
        self._after.append(fn)

    def reply(self, body: Body | str, *, mentions: Sequence[str] = (), priority: str = Priority.REPLY) -> None:
        """Answer where the event happened."""
        self.say(self.event.conversation, body, mentions=mentions, priority=priority)

    def say(self, to: str, body: Body | str, *, mentions: Sequence[str] = (), priority: str = Priority.REPLY) -> None:
        """Promise a message to anybody, from the event's account."""
        full = text(body, mentions) if isinstance(body, str) else body
        self.write(lambda s: self.container.messages.say(s, self.event.account, to, full, priority=priority))

    def follow(self, decision: Decision) -> None:
        """Do what a service has decided."""
        if decision.words:
            self.reply(choices(decision.words, decision.choices))
        if decision.write:
            self.write(decision.write)
        if decision.then:
            self.after(decision.then)

    async def end(self, handler: str) -> None:
        """Commit everything together."""

        def commit(session: Session) -> None:
            for fn in self._writes:
                fn(session)
            end_event(session, self.row, handler)

        await self.container.store.write(commit)
        for fn in self._after:
            fn()
