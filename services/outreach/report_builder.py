"""The content of daily reports: the numbers of groups, of customer service, and a chart of the last days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from sqlmodel import Session

from config import Config
from config.texts import fill
from models.groups import Qun
from services.clock import LocalTime
from services.groups.daily_stats import DailyStats, DayStats
from services.groups.groups import Groups
from services.messaging.media import MediaStore, StoredFile
from services.support.missed_questions import most_missed
from services.support.service_levels import described, opened_between
from wechat.entities import Media

DAYS: Final = 14  # days in the chart
MAX_MISSED: Final = 5  # unlisted questions in a report


@dataclass(frozen=True, slots=True)
class Report:
    """A report for one person."""

    text: str
    chart: StoredFile | None


class ReportBuilder:
    """Creates the reports of a day."""

    def __init__(
        self, groups: Groups, daily_stats: DailyStats, media: MediaStore, config: Config, local_time: LocalTime
    ) -> None:
        self._groups = groups
        self._daily_stats = daily_stats
        self._media = media
        self._config = config
        self._texts = config.texts
        self._local_time = local_time

    def day_before(self, due: float | None) -> date:
        """Return the day of a report that was due at a time (Unix seconds, None = now)."""
        return (self._local_time.now() if due is None else self._local_time.at(due)).date() - timedelta(days=1)

    async def build(self, quns: Sequence[Qun], day: date, service_section: str = "") -> Report | None:
        """Create a report about groups; None if there is nothing to report."""
        days = {qun.number: await self._daily_stats.days(qun.number, DAYS, day) for qun in quns}
        lines = [self._group_line(qun, days[qun.number][-1]) for qun in quns]
        if not lines and not service_section:
            return None
        title = fill(self._texts.report_title, day=day.isoformat())
        text = "\n".join([title, *lines, *filter(None, [service_section])])
        return Report(text, await self._chart(list(days.values()), day) if quns else None)

    def service_section(self, session: Session, account: str, day: date) -> str:
        """Return the customer service section of an admin's report, or ""."""
        since, until = (
            datetime.combine(day_begin, time(), self._local_time.zone).timestamp()
            for day_begin in (day, day + timedelta(days=1))
        )
        levels = described(opened_between(session, account, since, until), self._texts)
        misses = most_missed(session, MAX_MISSED, account=account, since=day.isoformat(), until=day.isoformat())
        missed_lines = [fill(self._texts.report_miss, question=question, times=times) for question, times in misses]
        return "\n".join(filter(None, [levels, *([self._texts.report_misses, *missed_lines] if missed_lines else [])]))

    def _group_line(self, qun: Qun, day: DayStats) -> str:
        return fill(
            self._texts.report_group,
            topic=qun.topic,
            joins=day.joins,
            leaves=day.leaves,
            messages=day.messages,
            members=self._groups.member_count(qun),
        )

    async def _chart(self, groups: list[list[DayStats]], day: date) -> StoredFile:
        """Create the chart of the days up to the report's, for all groups together."""
        total = [
            DayStats(same[0].date, *(sum(getattr(d, name) for d in same) for name in ("joins", "leaves", "messages")))
            for same in zip(*groups, strict=True)
        ]
        from services.outreach.charts import draw  # late: drawing is needed once a day, and its library is large

        picture = draw(total, self._config.language)
        return await self._media.store(Media(f"report-{day.isoformat()}.png", picture), always=True)
