"""The daily report: to owners who subscribed, about their groups; to admins about everything.

A text followed by a chart of the last days, queued once a day even across restarts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Final

from sqlmodel import Session

from models.db import Store
from models.durable import Priority, Setting
from models.groups import Qun, QunState
from services.accounts.registry import Accounts
from services.groups.groups import Groups
from services.messaging.messages import Messages, file
from services.outreach.report_builder import Report, ReportBuilder

KEY: Final = "report:"


class Reports:
    """Queues the reports of a day."""

    def __init__(
        self, store: Store, accounts: Accounts, groups: Groups, builder: ReportBuilder, messages: Messages
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._builder = builder
        self._messages = messages

    async def send(self, due: float | None = None) -> int:
        """Queue the reports of the day before they were due (Unix seconds, None = now), once per day; return the
        number of recipients.
        """
        day = self._builder.day_before(due)
        sent = 0
        for account in self._accounts.names():
            quns = [q for q in self._groups if q.account == account and q.state == QunState.ACTIVE]
            admins = self._accounts.admins(account)
            recipients = [(q, self._groups.owners(q)) for q in quns if q.wants_report]
            for owner in sorted({owner for _, owners in recipients for owner in owners} - set(admins)):
                owned = [q for q, owners in recipients if owner in owners]
                sent += await self._send(account, owner, owned, day)
            for admin in admins:
                section = await self._store.read(partial(self._builder.service_section, account=account, day=day))
                sent += await self._send(account, admin, quns, day, section)
        return sent

    async def _send(self, account: str, person: str, quns: Sequence[Qun], day: date, service_section: str = "") -> int:
        report = await self._builder.build(quns, day, service_section)
        if report is None:
            return 0
        return int(await self._store.write(lambda s: self._queue(s, account, person, report, day)))

    def _queue(self, session: Session, account: str, person: str, report: Report, day: date) -> bool:
        key = f"{KEY}{account}:{person}"
        last = session.get(Setting, key)
        if last is not None and last.value >= day.isoformat():
            return False
        session.merge(Setting(key=key, value=day.isoformat()))
        self._messages.queue(session, account, person, report.text, priority=Priority.NOTICE)
        if report.chart is not None:
            body = file(report.chart.path, report.chart.name)
            self._messages.queue(session, account, person, body, priority=Priority.NOTICE)
        return True
