"""Events whose id was received before: repeats, or new events of a gateway that restarted its numbering."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final

from sqlmodel import select

from errors import WeChatError
from models.db import Store
from models.durable import InboxEvent
from services.work import event_codec
from wechat.events import AGAIN, REUSED, Event, RawEvent

log = logging.getLogger(__name__)
KINDS: Final = ("message", "friendship", "room-invite")  # the ids of which come from the gateway
CONTENT: Final = ("contact_id", "text", "hello", "kind", "quoted", "target", "inviter_id", "topic")


class RepeatedIds:
    """Compares the content of events with the same id."""

    def __init__(self, store: Store, resolve: Callable[[RawEvent], Awaitable[Event | None]]) -> None:
        self._store = store
        self._resolve = resolve

    async def new_in(self, raw: RawEvent) -> RawEvent | None:
        """Return the event under a new id if its content is new; None for a repeat."""
        if raw.kind not in KINDS or REUSED in raw.id:
            return None
        body = await self._body_of(raw)
        if not body:
            return None  # the earlier event is still being read or was deleted: treat this one as a repeat
        again = replace(raw, data={**raw.data, AGAIN: True}, position="")
        try:
            event = await self._resolve(again)
        except WeChatError as error:
            log.info("%s: repeated event %s could not be read: %s", raw.account, raw.id, error)
            return None
        if event is None or _content(event) == _content(event_codec.decode(body)):
            return None
        mark = blake2b(repr(_content(event)).encode(), digest_size=6).hexdigest()
        return replace(again, id=f"{raw.id}{REUSED}{mark}")

    async def _body_of(self, raw: RawEvent) -> str:
        first = select(InboxEvent.body).where(InboxEvent.account == raw.account, InboxEvent.event_id == raw.id)
        return await self._store.read(lambda s: s.exec(first).first()) or ""


def _content(event: Event) -> tuple[Any, ...]:
    return (type(event).__name__, event.conversation, *(str(getattr(event, name, "")) for name in CONTENT))
