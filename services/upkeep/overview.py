"""Daily totals over all groups and tickets, for charts. Days are in the configured time zone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, func, select

from models.groups import DailyCount
from models.support import Ticket


@dataclass(slots=True)
class DayTotals:
    """Totals of one day (YYYY-MM-DD)."""

    day: str
    messages: int = 0
    joins: int = 0
    leaves: int = 0
    tickets: int = 0
    marks: int = 0  # number of ratings
    mark_sum: int = 0


def daily_totals(session: Session, zone: ZoneInfo, now: float, days: int) -> list[DayTotals]:
    """Return the totals of the last `days` days, up to today."""
    today = datetime.fromtimestamp(now, zone).date()
    dates = [(today - timedelta(days=back)).isoformat() for back in reversed(range(days))]
    totals: defaultdict[str, DayTotals] = defaultdict(lambda: DayTotals(""))
    totals.update({date: DayTotals(date) for date in dates})
    columns = (func.sum(DailyCount.messages), func.sum(DailyCount.joins), func.sum(DailyCount.leaves))
    rows = select(DailyCount.day, *columns).where(col(DailyCount.day) >= dates[0]).group_by(col(DailyCount.day))
    for day, messages, joins, leaves in session.exec(rows).all():
        one = totals[day]
        one.messages, one.joins, one.leaves = int(messages), int(joins), int(leaves)
    begin = datetime.combine(today - timedelta(days=days - 1), datetime.min.time(), zone).timestamp()
    opened = select(Ticket.opened_at, Ticket.mark).where(col(Ticket.opened_at) >= begin)
    for at, mark in session.exec(opened).all():
        one = totals[datetime.fromtimestamp(at, zone).date().isoformat()]
        one.tickets += 1
        if mark is not None:
            one.marks, one.mark_sum = one.marks + 1, one.mark_sum + mark
    return [totals[date] for date in dates]
