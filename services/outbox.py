"""The outbox: what is promised is a row of the same transaction, and is done after the commit, whatever dies.

A crash in the middle of a delivery leaves it unknown. Replies and notices are then done again (a person rather reads
a line twice than never); a broadcast is marked `sending` before it goes and is not repeated.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlmodel import Session, col, select

from models.db import Store, after_commit
from models.durable import OutboxItem, Priority, WorkState
from services.gather import Gather
from services.lane import Clock, Deliver, Gone, Lane, Later, Pace, Work

log = logging.getLogger(__name__)
_INSERT = insert(OutboxItem)
_END = (
    update(OutboxItem)
    .where(col(OutboxItem.id) == bindparam("item"))
    .values(
        state=bindparam("to"),
        result=bindparam("what"),
        error=bindparam("why"),
        attempts=bindparam("tries"),
        done_at=bindparam("ended"),
        run_at=bindparam("again_at"),
    )
    .execution_options(synchronize_session=False)
)


class Outbox:
    """All lanes of promised work."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lanes: dict[str, Lane] = {}
        self._openers: dict[str, Callable[[str], Lane]] = {}
        self._open: dict[int, Work] = {}
        self._ends = Gather[dict[str, Any]](store, _write_ends)
        self._on_failed: list[Callable[[Work, Gone], None]] = []
        self._started = False

    # ---- building ----

    def serve(
        self,
        prefix: str,
        deliver: Deliver,
        *,
        pace: Callable[[str], Pace | None] = lambda _name: None,
        at_once: int = 16,
        is_open: Callable[[str], bool] = lambda _name: True,
    ) -> None:
        """Deliver the work of every lane whose name begins with `prefix:`; one lane for each name behind it."""

        def open_lane(name: str) -> Lane:
            rest = name.partition(":")[2]
            return Lane(
                name,
                deliver,
                self._finished,
                pace=pace(rest),
                at_once=at_once,
                clock=self._clock,
                is_open=lambda: is_open(rest),
            )

        self._openers[prefix] = open_lane

    def on_failed(self, listener: Callable[[Work, Gone], None]) -> None:
        """Have `listener` called when a piece of work is given up."""
        self._on_failed.append(listener)

    async def start(self) -> None:
        """Take up what an earlier process left open."""
        for item in await self._store.write(_settle_and_load):
            self._take(_work(item))
        self._started = True
        for lane in self._lanes.values():
            lane.start()

    async def stop(self, grace: float) -> None:
        """Let what runs finish for `grace` seconds; the rest stays in the database."""
        for lane in self._lanes.values():
            await lane.stop(grace)

    # ---- promising ----

    def add(
        self,
        session: Session,
        lane: str,
        key: str,
        body: dict[str, Any],
        *,
        priority: str = Priority.REPLY,
        run_at: float = 0,
        idempotency_key: str | None = None,
        fingerprint: str = "",
    ) -> int:
        """Promise a piece of work inside a transaction; returns its id. It is begun once the transaction is in."""
        now = self._clock()
        values = {
            "lane": lane,
            "key": key,
            "priority": priority,
            "body": json.dumps(body, ensure_ascii=False),
            "state": WorkState.QUEUED,
            "attempts": 0,
            "error": "",
            "result": "",
            "idempotency_key": idempotency_key,
            "fingerprint": fingerprint,
            "run_at": run_at,
            "created_at": now,
        }
        (row,) = session.connection().execute(_INSERT, values).inserted_primary_key or (0,)
        work = Work(int(row), lane, key, body, priority, run_at, now)
        after_commit(session, lambda: self._take(work))
        return work.id

    def _take(self, work: Work) -> None:
        self._open[work.id] = work
        lane = self._lanes.get(work.lane)
        if lane is None:
            lane = self._lanes[work.lane] = self._openers[work.lane.partition(":")[0]](work.lane)
            if self._started:
                lane.start()
        lane.push(work)

    # ---- looking ----

    def state_of(self, item: OutboxItem) -> str:
        """The row's state, or what is truer in memory: whether it is being sent right now."""
        work = self._open.get(item.id or 0)
        return work.state if work is not None else item.state

    def waiting(self) -> dict[str, int]:
        """How much is open on each lane."""
        return {name: len(lane) for name, lane in self._lanes.items()}

    def oldest(self, lane: str) -> float:
        """For how many seconds the lane's oldest open work has waited since it was due; 0 when none is."""
        now = self._clock()
        due = [max(work.created_at, work.run_at) for work in self._open.values() if work.lane == lane]
        return max(0.0, now - min(due)) if due else 0.0

    def poke(self, lane: str) -> None:
        """Tell a lane that it may go on."""
        if lane in self._lanes:
            self._lanes[lane].poke()

    def poke_account(self, account: str) -> None:
        """Tell every lane of an account that it may go on."""
        for name, lane in self._lanes.items():
            if name.partition(":")[2] == account:
                lane.poke()

    async def mark_sending(self, work: Work) -> None:
        """Note, before the call, that it is about to happen: for work that must not be repeated."""
        await self._store.write(
            lambda session: session.connection().execute(
                update(OutboxItem).where(col(OutboxItem.id) == work.id).values(state=WorkState.SENDING)
            )
        )

    # ---- ends ----

    def _finished(self, work: Work, result: str | Later | Gone) -> None:
        end = {
            "item": work.id,
            "to": WorkState.SENT,
            "what": "",
            "why": "",
            "tries": work.attempts,
            "again_at": work.run_at,
        }
        end["ended"] = self._clock()
        if isinstance(result, Later):
            end |= {"to": WorkState.QUEUED, "why": result.why, "again_at": work.run_at, "ended": None}
        else:
            self._open.pop(work.id, None)
            if isinstance(result, Gone):
                end |= {"to": WorkState.UNKNOWN if result.unknown else WorkState.FAILED, "why": result.why}
                log.warning("work %s on lane %s given up: %s", work.id, work.lane, result.why)
                for listener in self._on_failed:
                    listener(work, result)
            else:
                end["what"] = result
        self._ends.put(end)


def _write_ends(session: Session, ends: list[dict[str, Any]]) -> None:
    session.connection().execute(_END, ends)


def _settle_and_load(session: Session) -> Sequence[OutboxItem]:
    """What an earlier process was sending when it died is unknown: broadcasts end here, all else is done again."""
    connection = session.connection()
    sending = col(OutboxItem.state) == WorkState.SENDING
    broadcast = col(OutboxItem.priority) == Priority.BROADCAST
    connection.execute(
        update(OutboxItem).where(sending, broadcast).values(state=WorkState.UNKNOWN, error="cut off while sending")
    )
    connection.execute(update(OutboxItem).where(sending).values(state=WorkState.QUEUED))
    return session.exec(
        select(OutboxItem).where(OutboxItem.state == WorkState.QUEUED).order_by(col(OutboxItem.id))
    ).all()


def _work(item: OutboxItem) -> Work:
    return Work(
        item.id or 0,
        item.lane,
        item.key,
        json.loads(item.body),
        item.priority,
        item.run_at,
        item.created_at,
        item.attempts,
    )
