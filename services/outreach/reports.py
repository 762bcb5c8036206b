"""The daily report: to owners who subscribed, about their groups; to admins about everything.

A text followed by a chart of the last days, queued once a day even across restarts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from sqlmodel import Session

from config import Config
from config.texts import fill
from models.db import Store
from models.durable import Priority, Setting
from models.groups import Qun, QunState
from services.accounts.registry import Accounts
from services.clock import Clock
from services.groups.daily_stats import DailyStats, DayStats
from services.groups.groups import Groups
from services.messaging.media import Kept, MediaStore
from services.messaging.messages import Messages, file
from services.support.questions import top_misses
from services.support.service_levels import described, opened_between
from wechat.events import Media

KEY: Final = "report:"
DAYS: Final = 14
MISSES: Final = 5


class Reports:
    """Creates and queues the reports of a day."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        daily_stats: DailyStats,
        messages: Messages,
        media: MediaStore,
        config: Config,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._daily_stats = daily_stats
        self._messages = messages
        self._media = media
        self._config = config
        self._texts = config.texts
        self._zone = ZoneInfo(config.timezone)
        self._clock = clock

    async def send(self, due: float | None = None) -> int:
        """Queue the reports of the day before they were due (Unix seconds, None = now), once per day; return the
        number of recipients.
        """
        day = datetime.fromtimestamp(self._clock() if due is None else due, self._zone).date() - timedelta(days=1)
        sent = 0
        for account in self._accounts.names():
            quns = [q for q in self._groups if q.account == account and q.state == QunState.ACTIVE]
            admins = self._accounts.admins(account)
            wanted = [(q, self._groups.owners(q)) for q in quns if q.wants_report]
            for owner in sorted({owner for _, owners in wanted for owner in owners} - set(admins)):
                own = [q for q, owners in wanted if owner in owners]
                sent += await self._send(account, owner, own, "", day)
            for admin in admins:
                more = await self._store.read(partial(self._service, account=account, day=day))
                sent += await self._send(account, admin, quns, more, day)
        return sent

    async def _send(self, account: str, person: str, quns: Sequence[Qun], more: str, day: date) -> int:
        days = {qun.number: await self._daily_stats.days(qun.number, DAYS, day) for qun in quns}
        lines = [self._line(qun, days[qun.number][-1]) for qun in quns]
        if not lines and not more:
            return 0
        title = fill(self._texts.report_title, day=day.isoformat())
        words = "\n".join([title, *lines, *filter(None, [more])])
        chart = await self._chart(list(days.values()), day) if quns else None
        return int(await self._store.write(lambda s: self._promise(s, account, person, words, chart, day)))

    def _line(self, qun: Qun, day: DayStats) -> str:
        return fill(
            self._texts.report_group,
            topic=qun.topic,
            joins=day.joins,
            leaves=day.leaves,
            messages=day.messages,
            members=self._groups.member_count(qun),
        )

    async def _chart(self, groups: list[list[DayStats]], day: date) -> Kept:
        """Create the chart of the days up to the report's, for all groups together."""
        total = [
            DayStats(same[0].date, *(sum(getattr(d, what) for d in same) for what in ("joins", "leaves", "messages")))
            for same in zip(*groups, strict=True)
        ]
        from services.outreach.charts import draw  # late, because it is needed once a day

        picture = draw(total, self._config.language)
        return await self._media.keep(Media(f"report-{day.isoformat()}.png", picture), always=True)

    def _service(self, session: Session, account: str, day: date) -> str:
        """Return the customer service part of an admin's report, or ""."""
        since, until = (
            datetime.combine(one, datetime.min.time(), self._zone).timestamp() for one in (day, day + timedelta(days=1))
        )
        shown = described(opened_between(session, account, since, until), self._texts)
        name = day.isoformat()
        misses = top_misses(session, MISSES, account=account, since=name, until=name)
        asked = [fill(self._texts.report_miss, question=question, times=times) for question, times in misses]
        return "\n".join(filter(None, [shown, *([self._texts.report_misses, *asked] if asked else [])]))

    def _promise(self, session: Session, account: str, person: str, words: str, chart: Kept | None, day: date) -> bool:
        key = f"{KEY}{account}:{person}"
        last = session.get(Setting, key)
        if last is not None and last.value >= day.isoformat():
            return False
        session.merge(Setting(key=key, value=day.isoformat()))
        self._messages.say(session, account, person, words, priority=Priority.NOTICE)
        if chart is not None:
            self._messages.say(session, account, person, file(chart.path, chart.name), priority=Priority.NOTICE)
        return True
