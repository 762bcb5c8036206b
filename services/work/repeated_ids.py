"""Events whose id was received before: repeats, or new events of a gateway that restarted its numbering."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from hashlib import blake2b
from secrets import token_hex
from typing import Any, Final

from sqlmodel import Session, select

from errors import WeChatError
from models.db import Store
from models.durable import InboxEvent
from services.work import event_codec
from services.work.inbox_table import InboxRows
from wechat.events import REPEATED_ID, REUSED_ID_MARK, Event, RawEvent

log = logging.getLogger(__name__)
KINDS: Final = ("message", "friendship", "room-invite")  # the ids of which come from the gateway
PENDING: Final = "repeated "  # before the kind of an event that is being compared, which other versions do not read
MARK: Final = "#compare:"  # in its id
CONTENT: Final = ("contact_id", "text", "hello", "kind", "quoted", "target", "inviter_id", "topic")


def store_pending(session: Session, table: InboxRows, raws: Sequence[RawEvent]) -> list[tuple[RawEvent, int]]:
    """Store repeated events until they are compared; return them with their rows, 0 for those that are repeats."""
    pending = {f"{raw.id}{MARK}{token_hex(8)}": raw for raw in raws if _may_be_new(raw)}
    rows = [replace(raw, id=id, kind=f"{PENDING}{raw.kind}") for id, raw in pending.items()]
    stored = table.insert(session, rows) if rows else {}
    repeats = [(raw, 0) for raw in raws if not _may_be_new(raw)]
    return [*repeats, *((raw, stored[id]) for id, raw in pending.items())]


def received(raw: RawEvent) -> RawEvent:
    """Return the event of a row of `store_pending` as it was received."""
    return replace(raw, id=raw.id.partition(MARK)[0], kind=raw.kind.removeprefix(PENDING))


class RepeatedIds:
    """Compares the content of events with the same id."""

    def __init__(self, store: Store, resolve: Callable[[RawEvent], Awaitable[Event | None]]) -> None:
        self._store = store
        self._resolve = resolve

    async def renamed_if_new(self, raw: RawEvent) -> RawEvent | None:
        """Return the event under a new id if its content is new; None for a repeat."""
        if not _may_be_new(raw):
            return None
        body = await self._body_of(raw)
        if not body:
            return None  # the earlier event is still being read or was deleted: treat this one as a repeat
        marked = replace(raw, data={**raw.data, REPEATED_ID: True}, position="")
        try:
            event = await self._resolve(marked)
        except WeChatError as error:
            log.info("%s: repeated event %s could not be read: %s", raw.account, raw.id, error)
            return None
        if event is None or _content(event) == _content(event_codec.decode(body)):
            return None
        mark = blake2b(repr(_content(event)).encode(), digest_size=6).hexdigest()
        return replace(marked, id=f"{raw.id}{REUSED_ID_MARK}{mark}")

    async def _body_of(self, raw: RawEvent) -> str:
        first = select(InboxEvent.body).where(InboxEvent.account == raw.account, InboxEvent.event_id == raw.id)
        return await self._store.read(lambda s: s.exec(first).first()) or ""


def _may_be_new(raw: RawEvent) -> bool:
    return raw.kind in KINDS and REUSED_ID_MARK not in raw.id


def _content(event: Event) -> tuple[Any, ...]:
    return (type(event).__name__, event.conversation, *(str(getattr(event, name, "")) for name in CONTENT))
