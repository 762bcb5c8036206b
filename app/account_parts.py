"""The data of one account in memory: loaded when the account is taken over, dropped when it is handed over."""

from __future__ import annotations

import asyncio

from app.container import Container
from config.settings import AssistantSettings


async def load_account(container: Container, settings: AssistantSettings) -> None:
    """Load what handlers, queues and jobs need of an account, before its events are received."""
    account = settings.account
    await container.tls_seen.load()
    await container.groups.load(account)
    await container.blacklist.load(account)
    await container.tickets.load(account)
    await container.question_menus.load(account)
    await container.fallbacks.load(account)
    container.near_questions.prepare()
    await container.staff_rooms.load(account)
    await container.create_governor(settings, replace=True)
    await container.flow_runs.load(account)
    await container.outbox.load(account)


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
