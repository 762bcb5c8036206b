"""The data of accounts in memory: loaded when an account is taken over, dropped when it is handed over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.container import Container
from concurrency import gather_or_cancel
from config.settings import AssistantSettings


async def load_accounts(container: Container, accounts: Sequence[AssistantSettings]) -> None:
    """Load what handlers, queues and jobs need of some accounts, before their events are received."""
    names = [settings.account for settings in accounts]
    await gather_or_cancel(
        container.tls_seen.load(),
        container.groups.load(names),
        container.blacklist.load(names),
        container.tickets.load(names),
        container.question_menus.load(names),
        container.fallbacks.load(names),
        container.staff_rooms.load(names),
        container.create_rate_limiters(accounts),
    )
    container.similar_questions.prepare()
    await container.flow_runs.load(names)
    await container.outbox.load(names)


async def stop_account(container: Container, account: str, grace: float) -> None:
    """Start nothing more for an account; running calls and deliveries get `grace` seconds to finish."""
    await asyncio.gather(
        container.flow_runs.drop(account, grace),
        container.outbox.drop(account, grace),
        container.token_joins.drop(account),
    )


def forget_account(container: Container, account: str) -> None:
    """Drop the data of an account."""
    container.accounts.remove(account)
    container.question_menus.drop(account)
    container.fallbacks.drop(account)
    container.tickets.drop(account)
    container.blacklist.drop(container.groups.drop(account))
