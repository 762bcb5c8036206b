"""Who may start a flow."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from config.flow_settings import FlowSettings
from models.flows import FlowRun
from services.accounts.registry import Accounts
from services.clock import HOUR, Clock
from services.groups.group_owners import GroupOwners

MAX_PER_HOUR: Final = 30  # flows that a person may start; admins have no limit


class StartRules:
    """Checks the `allow` of flows and the limit per person."""

    def __init__(self, accounts: Accounts, owners: GroupOwners, clock: Clock) -> None:
        self._accounts = accounts
        self._owners = owners
        self._clock = clock

    async def may_start(self, account: str, person: str, flow: FlowSettings) -> bool:
        """Whether the person may start this flow."""
        if flow.allow == "everyone" or self._accounts.is_admin(account, person):
            return True
        return flow.allow == "owners" and await self._owners.owns_any(account, person)

    def has_started_too_many(self, session: Session, account: str, person: str) -> bool:
        """Whether the person has reached the limit."""
        if self._accounts.is_admin(account, person):
            return False
        recent = select(func.count(col(FlowRun.id))).where(
            FlowRun.account == account, FlowRun.person == person, FlowRun.started_at > self._clock() - HOUR
        )
        return session.exec(recent).one() >= MAX_PER_HOUR
