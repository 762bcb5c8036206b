"""The data that each process of a cluster has in memory: reloads what another process has changed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from app.container import Container
from config import ConfigError
from services.cluster.shared import WORK, Shared

log = logging.getLogger(__name__)


class SharedData:
    """The shared data of one process. `refresh_accounts` reloads the list of assistants."""

    def __init__(self, container: Container, refresh_accounts: Callable[[], Awaitable[None]]) -> None:
        self._container = container
        self._refresh_accounts = refresh_accounts

    async def reload(self, kind: str) -> None:
        """Reload one kind of data, or the jobs of an account."""
        container = self._container
        if kind.startswith(WORK):
            account = kind.removeprefix(WORK)
            if container.ownership.holds(account):
                await container.outbox.refresh(account)
        elif kind == Shared.KEYWORDS:
            await container.keywords.load()
        elif kind == Shared.QUESTIONS:
            await container.faq_entries.load()
        elif kind == Shared.BLOCKED_WORDS:
            await container.blocked_words.load()
        elif kind == Shared.CANNED_REPLIES:
            await container.canned_replies.load()
        elif kind == Shared.ADMINS:
            await container.admins.reload()
        elif kind == Shared.ASSISTANTS:
            await self._refresh_accounts()
        elif kind == Shared.CONFIG:
            await self._reload_config()

    async def _reload_config(self) -> None:
        try:
            await self._container.reloader.follow()
        except ConfigError as error:
            log.error("another process reloaded its config; the config of this process is invalid: %s", error)  # noqa: TRY400
