"""The accounts the bot runs, by the name the API uses, and who may command them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import suppress

from errors import AssistantOffline, AssistantUnknown, NotSupported, WeChatTooFast
from services.work.ownership import Ownership
from wechat.interface import Capability, State, WeChat
from wechat.pacing import Governor

RETRY_AFTER = 5.0
SANDBOX_ADMIN = "wxid_admin"  # 店长 of the sandbox; an admin of sandboxed assistants only


class Accounts:
    """Every assistant with its governor."""

    def __init__(
        self,
        governors: dict[str, Governor],
        admins: Collection[str],
        sandboxed: Collection[str],
        ownership: Ownership | None = None,
    ) -> None:
        self._ownership = ownership or Ownership()
        self._wechats: dict[str, WeChat] = {}
        self._governors = governors
        self._configured_admins = frozenset(admins)
        self._bound_admins: set[str] = set()
        self._sandboxed = set(sandboxed)
        self._changed = asyncio.Event()
        self._since: dict[str, float] = {}

    def add(self, wechat: WeChat) -> None:
        """Take an account in."""
        self._wechats[wechat.account] = wechat

    def remove(self, account: str) -> None:
        """Let go of an account; what waits for it stays."""
        self._wechats.pop(account, None)

    def __iter__(self) -> Iterator[WeChat]:
        return iter(self._wechats.values())

    def names(self) -> list[str]:
        """The accounts' names."""
        return list(self._wechats)

    def get(self, account: str) -> WeChat:
        """The account of that name; AssistantUnknown."""
        try:
            return self._wechats[account]
        except KeyError:
            raise AssistantUnknown(account) from None

    def online(self, account: str) -> WeChat:
        """The account, which is ready to act; AssistantUnknown, AssistantOffline."""
        wechat = self.get(account)
        if wechat.state is not State.ONLINE or not self._ownership.may_act():
            raise AssistantOffline(f"{account} is {wechat.state}", retry_after=RETRY_AFTER)
        return wechat

    def require(self, account: str, capability: Capability) -> None:
        """NotSupported when the account's channel cannot do this; AssistantUnknown."""
        if capability not in self.get(account).capabilities:
            raise NotSupported(f"{account}: {capability}")

    def is_online(self, account: str) -> bool:
        """Whether the account is ready to act."""
        wechat = self._wechats.get(account)
        return wechat is not None and wechat.state is State.ONLINE and self._ownership.may_act()

    def holds(self, account: str) -> bool:
        """Whether the account is served by this process, or is to be."""
        return self._ownership.holds(account)

    def state_changed(self, account: str, at: float) -> None:
        """Look again: an account's connection went to another state."""
        self._since[account] = at
        self._changed.set()

    def since(self, account: str) -> float | None:
        """Since when the account is in its state (Unix seconds); None: since the start."""
        return self._since.get(account)

    async def all_online(self, seconds: float, *accounts: str) -> None:
        """Wait until these accounts, or every one, are ready to act, at most so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not all(map(self.is_online, accounts or self._wechats)):
                    self._changed.clear()
                    await self._changed.wait()

    def is_own(self, contact_id: str) -> bool:
        """Whether this is one of the assistants themselves."""
        return any(wechat.self_id == contact_id for wechat in self._wechats.values())

    def governor(self, account: str) -> Governor:
        """The account's pace."""
        return self._governors[account]

    def heed(self, account: str, error: Exception) -> None:
        """Halve the account's pace for a while where the error is WeChat's 操作过于频繁."""
        if isinstance(error, WeChatTooFast):
            self.governor(account).slow_down()

    def pace(self, account: str) -> Governor | None:
        """The pace of an account's messages; None for an account that is no longer configured, whose work waits."""
        return self._governors.get(account)

    # ---- admins: people by WeChat id ----

    def bind_admins(self, contact_ids: Collection[str]) -> None:
        """These were added by people, and nobody else."""
        self._bound_admins = set(contact_ids)

    @property
    def has_admin(self) -> bool:
        """Whether anybody may command at all."""
        return bool(self._configured_admins or self._bound_admins)

    def configure_admins(self, contact_ids: Collection[str]) -> None:
        """Take other admins of the config from now on."""
        self._configured_admins = frozenset(contact_ids)

    def configured_admins(self) -> list[str]:
        """The admins of the config."""
        return sorted(self._configured_admins)

    def is_configured_admin(self, contact_id: str) -> bool:
        """Whether the config names the person."""
        return contact_id in self._configured_admins

    def all_admins(self) -> list[str]:
        """Every admin, known to an assistant or not; without the sandbox's."""
        return sorted(self._configured_admins | self._bound_admins)

    def bind_admin(self, contact_id: str) -> None:
        """Make a person admin of every assistant."""
        self._bound_admins.add(contact_id)

    def unbind_admin(self, contact_id: str) -> None:
        """End it; who is named by the config stays one."""
        self._bound_admins.discard(contact_id)

    def is_admin(self, account: str, contact_id: str) -> bool:
        """Whether the person may command this assistant."""
        known = contact_id in self._configured_admins or contact_id in self._bound_admins
        return known or (account in self._sandboxed and contact_id == SANDBOX_ADMIN)

    def admins(self, account: str) -> list[str]:
        """The admins that this assistant knows."""
        everyone = set(self.all_admins()) | ({SANDBOX_ADMIN} if account in self._sandboxed else set())
        return sorted(everyone & self.get(account).directory.contacts.keys())
