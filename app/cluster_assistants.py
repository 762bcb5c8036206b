"""The assistants of all processes, listed, added and removed at any of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from app.assistants import Assistants, AssistantStatus
from app.container import Container
from config.settings import AssistantSettings
from errors import AssistantUnknown, InvalidParameter
from services.cluster.parts import ClusterParts
from services.cluster.peers import Peers
from services.work.conversation_workers import Handle
from wechat.connection import Timing
from wechat.interface import State

PATH: Final = "/cluster/assistants"
HOLDER_TIMEOUT: Final = 5.0  # seconds that a new account may take to have a holder
POLL_INTERVAL: Final = 0.1


class ClusterAssistants(Assistants):
    """The accounts of this process, and the status of those of the others."""

    def __init__(
        self,
        container: Container,
        handle: Handle,
        grace: Callable[[], float],
        timing: Timing | None,
        parts: ClusterParts,
        peers: Peers,
    ) -> None:
        super().__init__(container, handle, grace, timing)
        self._parts = parts
        self._peers = peers

    async def statuses(self) -> list[AssistantStatus]:
        """Return the status of every account of the cluster, as reported by its holder."""
        accounts = self.configured() | {
            assistant.account for assistant in await self._container.stored_assistants.load()
        }
        holders = {a: holder for a, holder in (await self._peers.all_holders()).items() if holder or a in accounts}
        addresses = sorted(set(holders.values()) - {self._parts.address, ""})
        answers = await asyncio.gather(*(self._peers.get_json(address, PATH) for address in addresses))
        by_account = {status.account: status for status in self.local_statuses()}
        for answer in answers:
            for row in answer["assistants"] if answer else ():
                status = AssistantStatus(**{**row, "capabilities": tuple(row["capabilities"])})
                by_account.setdefault(status.account, status)
        return [by_account.get(account) or _status_of_other(account, holder) for account, holder in holders.items()]

    async def put(self, settings: AssistantSettings, actor: str) -> tuple[AssistantStatus, bool]:
        """Add or change an account; a process with free capacity takes it over."""
        self._check_added(settings.account)
        if settings.is_sandboxed:
            raise InvalidParameter("endpoint: missing or empty; allowed: host:port of a gateway, or authority")
        new = await self._container.stored_assistants.put(settings, actor)
        await self._parts.member.call(self._parts.leases.register_accounts, [settings.account])
        for _ in range(int(HOLDER_TIMEOUT / POLL_INTERVAL)):
            if await self._peers.holder(settings.account, fresh=True):
                break
            await asyncio.sleep(POLL_INTERVAL)
        status = next((listed for listed in await self.statuses() if listed.account == settings.account), None)
        return status or _status_of_other(settings.account, ""), new

    async def remove(self, account: str, actor: str) -> None:
        """Remove an account; its holder is notified, stops it and removes its lease."""
        self._check_added(account)
        if not await self._container.stored_assistants.remove(account, actor):
            raise AssistantUnknown(account)
        await self._parts.member.call(
            self._parts.leases.forget, account
        )  # an account without a holder has no process to respond


def _status_of_other(account: str, holder: str) -> AssistantStatus:
    """Return the status of an account without a holder, or whose holder did not respond."""
    return AssistantStatus(account, State.CONNECTING, holder, 0, 0, 0)
