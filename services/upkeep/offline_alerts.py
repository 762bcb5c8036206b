"""Alerts business systems, and the admins through another account, when an account has been offline for long."""

from __future__ import annotations

from functools import partial
from typing import Final

from sqlmodel import Session

from config import Config
from config.texts import fill
from models.db import Store
from models.durable import Priority, Setting
from services.accounts.registry import Accounts
from services.clock import MINUTE, Clock
from services.messaging.messages import Messages
from services.messaging.webhook_events import WebhookEvents

PREFIX: Final = "offline_alert:"  # of the setting's key, followed by the account; stored while an outage is reported


class OfflineAlerts:
    """Alerts once per outage, across restarts, and reports when the account is back."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        messages: Messages,
        webhook_events: WebhookEvents,
        config: Config,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._messages = messages
        self._webhook_events = webhook_events
        self._config = config
        self._clock = clock
        self._began = clock()

    def minutes_offline(self, account: str) -> float | None:
        """Return for how many minutes an account has been offline; None while it is online."""
        if self._accounts.is_online(account):
            return None
        return max(0.0, self._clock() - (self._accounts.offline_since(account) or self._began)) / MINUTE

    def is_overdue(self, account: str) -> bool:
        """Whether an account has been offline for longer than `offline_alert_minutes`."""
        minutes, limit = self.minutes_offline(account), self._config.offline_alert_minutes
        return minutes is not None and 0 < limit <= minutes

    async def run(self) -> int:
        """Report accounts that are offline too long, and those online again; return their number."""
        names = self._accounts.names()
        alerted = set(await self._store.read(self._alerted))
        overdue = [name for name in names if self.is_overdue(name) and name not in alerted]
        recovered = [name for name in names if self._accounts.is_online(name) and name in alerted]
        for name in overdue:
            await self._store.write(partial(self._report_offline, account=name))
        for name in recovered:
            await self._store.write(partial(self._report_online, account=name))
        return len(overdue) + len(recovered)

    def _alerted(self, session: Session) -> list[str]:
        return [name for name in self._accounts.names() if session.get(Setting, PREFIX + name) is not None]

    def _report_offline(self, session: Session, account: str) -> None:
        if session.get(Setting, PREFIX + account) is not None:
            return
        session.add(Setting(key=PREFIX + account, value=str(self._clock())))
        wechat, minutes = self._accounts.get(account), int(self.minutes_offline(account) or 0)
        reason = wechat.reason.text(self._config.language) if wechat.reason else ""
        data = {"assistant": account, "reason": str(wechat.reason or ""), "minutes": minutes}
        self._webhook_events.publish(session, "assistant.offline", account, data)
        texts, url = self._config.texts, self._config.api.public_url
        notice = fill(texts.assistant_away, account=account, minutes=minutes, reason=reason or texts.nothing, url=url)
        self._notify_admins(session, notice)

    def _report_online(self, session: Session, account: str) -> None:
        stored = session.get(Setting, PREFIX + account)
        if stored is not None:
            session.delete(stored)
            self._notify_admins(session, fill(self._config.texts.assistant_back, account=account))

    def _notify_admins(self, session: Session, notice: str) -> None:
        """Notify each admin once, by any online account of which they are a contact."""
        notified = set[str]()
        for name in filter(self._accounts.is_online, self._accounts.names()):
            for admin in self._accounts.admins(name):
                if admin not in notified:
                    notified.add(admin)
                    self._messages.queue(session, name, admin, notice, priority=Priority.NOTICE)
