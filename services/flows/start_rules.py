"""Who may start a flow."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from config.flow_settings import FlowSettings
from models.flows import FlowRun
from models.groups import QunState
from services.accounts.registry import Accounts
from services.clock import HOUR, Clock
from services.groups.groups import Groups

MAX_PER_HOUR: Final = 30  # flows that a person may start; admins have no limit


class StartRules:
    """Checks the `allow` of flows and the limit per person."""

    def __init__(self, accounts: Accounts, groups: Groups, clock: Clock) -> None:
        self._accounts = accounts
        self._groups = groups
        self._clock = clock

    def may_start(self, account: str, person: str, flow: FlowSettings) -> bool:
        """Whether the person may start this flow."""
        if flow.allow == "everyone" or self._accounts.is_admin(account, person):
            return True
        return flow.allow == "owners" and any(
            qun.account == account and qun.owner_id == person and qun.state == QunState.ACTIVE for qun in self._groups
        )

    def has_started_too_many(self, session: Session, account: str, person: str) -> bool:
        """Whether the person has reached the limit."""
        if self._accounts.is_admin(account, person):
            return False
        recent = select(func.count(col(FlowRun.id))).where(
            FlowRun.account == account, FlowRun.person == person, FlowRun.started_at > self._clock() - HOUR
        )
        return session.exec(recent).one() >= MAX_PER_HOUR
