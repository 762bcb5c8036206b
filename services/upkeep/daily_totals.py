"""Daily numbers for the console's charts.

Past days are rolled up into one row each; today's numbers are counted on demand, by indexed queries only. Days are
those of the configured time zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from models.db import Store
from models.durable import OutboxItem, WorkState
from models.groups import DailyCount
from models.statistics import DayTotal, PacePeak
from models.support import Ticket
from services.accounts.registry import Accounts
from services.clock import Clock
from services.messaging.messages import QUEUE

DAYS: Final = 30
UNSETTLED: Final = 3  # days in which tickets opened then may still get their first answer or a mark


class DailyTotals:
    """Rolls up days, and reads them."""

    def __init__(self, store: Store, accounts: Accounts, zone: ZoneInfo, clock: Clock) -> None:
        self._store = store
        self._accounts = accounts
        self._zone = zone
        self._clock = clock
        self._peaks: dict[tuple[str, str, str], float] = {}  # totals written by this process today

    async def roll_up(self) -> int:
        """Count missing days, and the latest ones again; return their number."""
        dates = self._dates(DAYS)
        stored_days = select(DayTotal.day).where(col(DayTotal.day) >= dates[0].isoformat())
        stored = set(await self._store.read(lambda s: s.exec(stored_days).all()))
        missing = [day for day in dates if day.isoformat() not in stored or day in dates[-UNSETTLED:]]
        for day in missing:
            total = await self._store.read(partial(self._count, day=day))
            await self._store.write(partial(_store_total, total=total))
        return len(missing)

    async def record_pace(self) -> int:
        """Store each account's current use of its rate limits if it is today's maximum."""
        day = self._dates(1)[0].isoformat()
        self._peaks = {key: ratio for key, ratio in self._peaks.items() if key[0] == day}
        new_peaks = [
            PacePeak(day=day, account=account, kind=kind, ratio=ratio)
            for account in self._accounts.names()
            for kind, ratio in self._accounts.rate_limiter(account).used().items()
            if ratio > self._peaks.get((day, account, kind), 0.0)
        ]
        if new_peaks:
            await self._store.write(partial(self._store_peaks, peaks=new_peaks))
        return len(new_peaks)

    def read(self, session: Session, days: int = DAYS) -> list[DayTotal]:
        """Return the last days up to today, including days without data."""
        dates = [day.isoformat() for day in self._dates(days)]
        rows = {row.day: row for row in session.exec(select(DayTotal).where(col(DayTotal.day) >= dates[0])).all()}
        totals = [rows.get(day) or DayTotal(day=day) for day in dates]
        today = self._dates(1)[0]
        today_total = self._total_of(session, today)
        today_total.sent = totals[-1].sent
        return [*totals[:-1], today_total]

    def peaks(self, session: Session, days: int = DAYS) -> Sequence[PacePeak]:
        """Return the highest use of the rate limits on each of these days; days without use are left out."""
        first = self._dates(days)[0].isoformat()
        return session.exec(select(PacePeak).where(col(PacePeak.day) >= first)).all()

    def _dates(self, last: int) -> list[date]:
        today = datetime.fromtimestamp(self._clock(), self._zone).date()
        return [today - timedelta(days=days_ago) for days_ago in reversed(range(last))]

    def _count(self, session: Session, day: date) -> DayTotal:
        total = self._total_of(session, day)
        begin, end = self._day_bounds(day)
        sent = select(func.count()).where(
            col(OutboxItem.done_at) >= begin,
            col(OutboxItem.done_at) < end,
            col(OutboxItem.state) == WorkState.SENT,
            col(OutboxItem.queue).startswith(f"{QUEUE}:"),
        )
        total.sent = session.exec(sent).one()
        return total

    def _total_of(self, session: Session, day: date) -> DayTotal:
        """Return the numbers that indexed queries can count."""
        begin, end = self._day_bounds(day)
        columns = (func.sum(DailyCount.messages), func.sum(DailyCount.joins), func.sum(DailyCount.leaves))
        messages, joins, leaves = session.exec(select(*columns).where(DailyCount.day == day.isoformat())).one()
        opened = (col(Ticket.opened_at) >= begin, col(Ticket.opened_at) < end)
        counts = (
            func.count(),
            func.count(col(Ticket.answered_at)),
            func.count(col(Ticket.mark)),
            func.sum(Ticket.mark),
        )
        tickets, answered, marks, mark_sum = session.exec(select(*counts).where(*opened)).one()
        return DayTotal(
            day=day.isoformat(),
            messages=messages or 0,
            joins=joins or 0,
            leaves=leaves or 0,
            tickets=tickets,
            answered=answered,
            first_answer=self._median_wait(session, answered, opened),
            marks=marks,
            mark_sum=mark_sum or 0,
        )

    def _median_wait(self, session: Session, count: int, opened: tuple[ColumnElement[bool], ...]) -> float | None:
        """Return the median of the seconds until the first answer; the database sorts, so that few rows are read."""
        if not count:
            return None
        wait = (col(Ticket.answered_at) - col(Ticket.opened_at)).label("wait")
        middle = select(wait).where(*opened, col(Ticket.answered_at).is_not(None)).order_by(wait)
        waits = session.exec(middle.offset((count - 1) // 2).limit(2 - count % 2)).all()
        return median(float(seconds) for seconds in waits if seconds is not None)

    def _day_bounds(self, day: date) -> tuple[float, float]:
        """Return the begin and end of a day, in Unix seconds."""
        midnights = (datetime.combine(date, datetime.min.time(), self._zone) for date in (day, day + timedelta(days=1)))
        first, last = (moment.timestamp() for moment in midnights)
        return first, last

    def _store_peaks(self, session: Session, peaks: Sequence[PacePeak]) -> None:
        for peak in peaks:
            key = (peak.day, peak.account, peak.kind)
            stored = session.get(PacePeak, key)
            if stored is None or stored.ratio < peak.ratio:
                session.merge(peak)
            self._peaks[key] = max(peak.ratio, stored.ratio if stored else 0.0)


def _store_total(session: Session, total: DayTotal) -> None:
    session.merge(total)
