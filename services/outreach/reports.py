"""The daily report: to owners who subscribed, about their groups; to admins about everything.

A text followed by a chart of the last days, queued once a day even across restarts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from sqlmodel import Session

from config.texts import Texts, fill
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
    """Creates and queues the reports of yesterday."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        daily_stats: DailyStats,
        messages: Messages,
        media: MediaStore,
        texts: Texts,
        zone: ZoneInfo,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._daily_stats = daily_stats
        self._messages = messages
        self._media = media
        self._texts = texts
        self._zone = zone
        self._clock = clock

    async def send(self) -> int:
        """Queue yesterday's reports, once a day; return the number of recipients."""
        sent = 0
        for account in self._accounts.names():
            quns = [q for q in self._groups if q.account == account and q.state == QunState.ACTIVE]
            admins = self._accounts.admins(account)
            wanted = [(q, self._groups.owners(q)) for q in quns if q.wants_report]
            for owner in sorted({owner for _, owners in wanted for owner in owners} - set(admins)):
                own = [q for q, owners in wanted if owner in owners]
                sent += await self._send(account, owner, own, "")
            for admin in admins:
                more = await self._store.read(partial(self._service, account=account))
                sent += await self._send(account, admin, quns, more)
        return sent

    async def _send(self, account: str, person: str, quns: Sequence[Qun], more: str) -> int:
        days = {qun.number: await self._daily_stats.days(qun.number, DAYS + 1) for qun in quns}
        lines = [self._line(qun, days[qun.number][-2]) for qun in quns]
        if not lines and not more:
            return 0
        words = "\n".join([fill(self._texts.report_title, day=self._yesterday()), *lines, *filter(None, [more])])
        chart = await self._chart(list(days.values())) if quns else None
        return int(await self._store.write(lambda s: self._promise(s, account, person, words, chart)))

    def _line(self, qun: Qun, day: DayStats) -> str:
        return fill(
            self._texts.report_group,
            topic=qun.topic,
            joins=day.joins,
            leaves=day.leaves,
            messages=day.messages,
            members=self._groups.member_count(qun),
        )

    async def _chart(self, groups: list[list[DayStats]]) -> Kept:
        """Create the chart of the days before today, for all groups together."""
        total = [
            DayStats(same[0].date, *(sum(getattr(d, what) for d in same) for what in ("joins", "leaves", "messages")))
            for same in zip(*groups, strict=True)
        ]
        from services.outreach.charts import draw  # late, because it is needed once a day

        return await self._media.keep(Media(f"report-{self._yesterday()}.png", draw(total[:-1])), always=True)

    def _service(self, session: Session, account: str) -> str:
        """Return the customer service part of an admin's report, or ""."""
        today = datetime.fromtimestamp(self._clock(), self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        since = (today - timedelta(days=1)).timestamp()
        shown = described(opened_between(session, account, since, today.timestamp()), self._texts)
        misses = top_misses(session, MISSES, account=account, since=self._yesterday())
        asked = [fill(self._texts.report_miss, question=question, times=times) for question, times in misses]
        return "\n".join(filter(None, [shown, *([self._texts.report_misses, *asked] if asked else [])]))

    def _promise(self, session: Session, account: str, person: str, words: str, chart: Kept | None) -> bool:
        key = f"{KEY}{account}:{person}"
        last = session.get(Setting, key)
        if last is not None and last.value >= self._yesterday():
            return False
        session.merge(Setting(key=key, value=self._yesterday()))
        self._messages.say(session, account, person, words, priority=Priority.NOTICE)
        if chart is not None:
            self._messages.say(session, account, person, file(chart.path, chart.name), priority=Priority.NOTICE)
        return True

    def _yesterday(self) -> str:
        return (datetime.fromtimestamp(self._clock(), self._zone).date() - timedelta(days=1)).isoformat()
