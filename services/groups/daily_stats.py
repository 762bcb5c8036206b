"""Daily numbers of groups: joins, leaves, messages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from models.db import Store
from models.groups import DailyCount
from services.clock import Clock
from services.work.write_batcher import WriteBatcher


@dataclass(frozen=True, slots=True)
class DayStats:
    """The numbers of one day; `date` is YYYY-MM-DD in the configured time zone."""

    date: str
    joins: int = 0
    leaves: int = 0
    messages: int = 0


class DailyStats:
    """Counts per group and day. Messages are written in batches."""

    def __init__(self, store: Store, zone: ZoneInfo, clock: Clock) -> None:
        self._store = store
        self._zone = zone
        self._clock = clock
        self._messages = WriteBatcher[int](store, self._count_messages)

    def count_message(self, number: int) -> None:
        """Count a message in a group; it is written soon."""
        self._messages.put(number)

    async def drain(self) -> None:
        """Wait until all counted messages are written."""
        await self._messages.drain()

    def _count_messages(self, session: Session, numbers: list[int]) -> None:
        for number, count in sorted(Counter(numbers).items()):
            self.count(session, number, messages=count)

    def count(self, session: Session, number: int, *, joins: int = 0, leaves: int = 0, messages: int = 0) -> None:
        """Add to the group's numbers of today, inside a transaction."""
        counts = {"joins": joins, "leaves": leaves, "messages": messages}
        insert = self._store.insert(DailyCount).values(number=number, day=self._today().isoformat(), **counts)
        update = {name: getattr(DailyCount, name) + added for name, added in counts.items()}
        session.connection().execute(insert.on_conflict_do_update(index_elements=["number", "day"], set_=update))

    async def days(self, number: int, last: int, until: date | None = None) -> list[DayStats]:
        """Return the last `last` days of a group up to a day, by default today, including days without activity."""
        until = until or self._today()
        dates = [(until - timedelta(days=days_ago)).isoformat() for days_ago in reversed(range(last))]
        query = select(DailyCount).where(
            DailyCount.number == number, col(DailyCount.day) >= dates[0], col(DailyCount.day) <= dates[-1]
        )
        rows = {row.day: row for row in await self._store.read(lambda s: s.exec(query).all())}
        return [
            DayStats(date, row.joins, row.leaves, row.messages) if (row := rows.get(date)) else DayStats(date)
            for date in dates
        ]

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), self._zone).date()
