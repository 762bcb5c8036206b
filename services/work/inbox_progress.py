"""Records the progress of an account's events: payloads, attempts, ends."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import stamina

from models.db import Store, is_away
from services.work import event_codec
from services.work.arrival_sequencer import Arrival
from services.work.inbox_table import InboxRows
from services.work.write_batcher import WriteBatcher
from wechat.events import Event

log = logging.getLogger(__name__)
MAX_RETRY_WAIT: Final = 5.0  # seconds between two attempts to write while the database fails


class InboxProgress:
    """Batched writes about the events of one account, and their log lines."""

    def __init__(self, account: str, store: Store, table: InboxRows) -> None:
        self._account = account
        self._store = store
        self._table = table
        self._bodies = WriteBatcher[dict[str, Any]](store, table.store_bodies)
        self._end_batcher = WriteBatcher[dict[str, Any]](store, table.end)

    def store_payload(self, arrival: Arrival, event: Event) -> None:
        """Store the payload of an event, so that it need not be read again after a restart."""
        self._bodies.put({"row": arrival.row, "kept": event_codec.encode(event)})

    def end(self, arrival: Arrival, handler: str, state: str) -> None:
        """End an event that no handler ends."""
        self._end_batcher.put({"row": arrival.row, "to": state, "by": handler})

    async def count_attempt(self, arrival: Arrival) -> None:
        """Count an attempt at an event of an earlier process beforehand, in case this process dies as well.

        While the database fails, it waits.
        """
        if not arrival.retried:
            return
        arrival.retried = False
        async for attempt in stamina.retry_context(on=is_away, attempts=None, timeout=None, wait_max=MAX_RETRY_WAIT):
            with attempt:
                await self._store.write(lambda s: self._table.count_tries(s, [{"row": arrival.row}]))

    def log(self, id: str, kind: str, handler: str, result: str, started: float) -> None:
        """Log the result of an event. `started`: a time of time.perf_counter()."""
        facts = {"account": self._account, "id": id, "kind": kind, "handler": handler, "result": result}
        elapsed = round((time.perf_counter() - started) * 1000, 1)
        log.info("%s: event %s %s %s %s %.1f ms", *facts.values(), elapsed, extra={"facts": facts | {"ms": elapsed}})

    async def drain(self, grace: float) -> None:
        """Wait until pending writes are done, each kind at most `grace` seconds."""
        await self._bodies.drain(grace)
        await self._end_batcher.drain(grace)
