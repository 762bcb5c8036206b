"""Timed messages of groups. Each due time is queued exactly once; times missed while the bot was down count as one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from sqlalchemy import update
from sqlmodel import Session, col, func, select

from errors import InvalidParameter, NotFound
from models.db import Store
from models.durable import Outcome, Priority
from models.groups import Qun
from models.rules import TimedMessage
from services.accounts.audit import Audit
from services.clock import Clock
from services.groups.groups import Groups
from services.messaging.messages import Messages
from services.outreach.cron_times import NEXT, CronTimes
from services.paging import Page, PageRequest, page_of

MAX_PER_GROUP: Final = 20
WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")  # as in crontab: 0 and 7 are Sunday
_NUMBERS: Final = re.compile(r"(\*|[0-7](?:-[0-7])?)(?:/([1-7]))?")


class TooManyTimed(InvalidParameter):
    """The group has reached the limit of timed messages."""


class TimedMessages:
    """Messages sent on a schedule."""

    def __init__(
        self, store: Store, groups: Groups, messages: Messages, audit: Audit, zone: ZoneInfo, clock: Clock
    ) -> None:
        self._store = store
        self._groups = groups
        self._messages = messages
        self._audit = audit
        self._zone = zone
        self._clock = clock

    def next(self, cron: str) -> float | None:
        """Return the next time of a crontab line, after now, or None. Raises ValueError with the reason if it is
        invalid.
        """
        later = datetime.fromtimestamp(self._clock(), UTC) + NEXT  # messages that are due now would be due again
        due = trigger(cron, self._zone).get_next_fire_time(None, later)
        return due.timestamp() if due else None

    async def of(self, qun: Qun) -> list[TimedMessage]:
        """Return the timed messages of a group."""
        query = select(TimedMessage).where(TimedMessage.number == qun.number).order_by(col(TimedMessage.id))
        return list(await self._store.read(lambda s: s.exec(query).all()))

    def list_page(self, session: Session, page: PageRequest) -> Page[TimedMessage]:
        """Return a page of the timed messages of all groups, newest first."""
        query = select(TimedMessage)
        if page.before is not None:
            query = query.where(col(TimedMessage.id) < page.bound)
        rows = session.exec(query.order_by(col(TimedMessage.id).desc()).limit(page.limit + 1)).all()
        return page_of(rows, page, lambda row: row.id)

    def add(self, session: Session, qun: Qun, cron: str, text: str, actor: str) -> TimedMessage:
        """Add a timed message, inside a transaction.

        Raises InvalidParameter for a crontab line that is invalid or never due, and TooManyTimed.
        """
        try:
            next_at = self.next(cron)
        except ValueError:
            next_at = None
        if next_at is None:
            raise InvalidParameter("cron: never due, or not five crontab fields")
        query = select(func.count()).select_from(TimedMessage).where(TimedMessage.number == qun.number)
        if session.exec(query).one() >= MAX_PER_GROUP:
            raise TooManyTimed(str(qun.number))
        row = TimedMessage(number=qun.number, cron=cron, text=text, by=actor, next_at=next_at, created_at=self._clock())
        session.add(row)
        session.flush()
        detail = {"number": str(qun.number), "after": f"{cron} {text}"[:200]}
        self._audit.record(session, qun.account, "timed", actor, str(row.id), Outcome.DONE, **detail)
        return row

    def remove(self, session: Session, timed_id: int, actor: str, number: int | None = None) -> None:
        """Delete a timed message, inside a transaction; raise NotFound, also if it is not one of the group `number`."""
        row = session.get(TimedMessage, timed_id)
        qun = self._groups.by_number(row.number) if row else None
        if row is None or qun is None or number not in (None, row.number):
            raise NotFound(f"timed message {timed_id}")
        session.delete(row)
        detail = {"number": str(qun.number), "before": f"{row.cron} {row.text}"[:200]}
        self._audit.record(session, qun.account, "timed_removed", actor, str(timed_id), Outcome.DONE, **detail)

    async def run(self) -> int:
        """Queue the due messages; return their number."""
        now = self._clock()
        due = select(TimedMessage).where(TimedMessage.next_at <= now).order_by(col(TimedMessage.next_at))
        rows = [
            row for row in await self._store.read(lambda s: s.exec(due).all()) if self._groups.by_number(row.number)
        ]
        return await self._store.write(lambda s: self._queue(s, rows)) if rows else 0

    def _queue(self, session: Session, rows: Iterable[TimedMessage]) -> int:
        promised = 0
        for row in rows:
            qun, following = self._groups.by_number(row.number), self.next(row.cron)
            condition = (col(TimedMessage.id) == row.id) & (col(TimedMessage.next_at) == row.next_at)
            updated = session.connection().execute(
                update(TimedMessage).where(condition).values(next_at=following if following is not None else 9e15)
            )
            if updated.rowcount != 1 or qun is None:  # another run has queued it
                continue
            for room in self._groups.rooms(qun):
                self._messages.queue(session, qun.account, room.room_id or "", row.text, priority=Priority.NOTICE)
                promised += 1
        return promised


def trigger(cron: str, zone: ZoneInfo) -> BaseTrigger:
    """Return the trigger of a crontab line; raise ValueError. As in crontab, day of month and day of week are
    alternatives.
    """
    fields = cron.split()
    if len(fields) == 5:
        fields[4] = weekdays(fields[4])
    lines = [fields]
    if len(fields) == 5 and not fields[2].startswith("*") and not fields[4].startswith("*"):
        lines = [[*fields[:4], "*"], [*fields[:2], "*", *fields[3:]]]
    triggers = [CronTimes(line, zone) for line in lines]
    return triggers[0] if len(triggers) == 1 else OrTrigger(triggers)


def invalid_fields(cron: str, zone: ZoneInfo) -> list[int]:
    """Return the indexes of the invalid fields of a crontab line."""
    invalid, fields = [], cron.split()
    for place, field in enumerate(fields):
        alone = ["*"] * len(fields)
        alone[place] = field
        try:
            trigger(" ".join(alone), zone)
        except ValueError:
            invalid.append(place)
    return invalid


def weekdays(field: str) -> str:
    """Convert weekday numbers to names, because APScheduler counts from Monday = 0, crontab from Sunday = 0."""
    matched = [_NUMBERS.fullmatch(part) for part in field.split(",")]
    if field == "*" or not all(matched):
        return field.lower()
    days: dict[str, None] = {}
    for match in matched:
        if match is not None:
            span, step = match[1], int(match[2] or 1)
            first, _, last = ("0-6" if span == "*" else span).partition("-")
            if int(last or first) < int(first):
                raise ValueError(f"{span}: the first day is after the last")
            days |= dict.fromkeys(WEEKDAYS[day] for day in range(int(first), int(last or first) + 1, step))
    return ",".join(days)
