"""Registry of the running accounts, their rate limits and their admins."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

from errors import AssistantOffline, AssistantUnknown, NotSupported, WeChatTooFast
from services.work.ownership import Ownership
from wechat.interface import Capability, State, WeChat
from wechat.rate_limiter import RateLimiter

RETRY_AFTER = 5.0
SANDBOX_ADMIN = "wxid_admin"  # 店长 of the sandbox; an admin of sandboxed assistants only


class Accounts:
    """The accounts by name, each with its rate limiter."""

    def __init__(
        self,
        rate_limiters: Mapping[str, RateLimiter],
        admins: Collection[str],
        sandboxed: Collection[str],
        ownership: Ownership | None = None,
    ) -> None:
        self._ownership = ownership or Ownership()
        self._wechats: dict[str, WeChat] = {}
        self._rate_limiters = rate_limiters
        self._configured_admins = frozenset(admins)
        self._bound_admins: set[str] = set()
        self._sandboxed = set(sandboxed)
        self._changed = asyncio.Event()
        self._since: dict[str, float] = {}
        self._offline_since: dict[str, float] = {}  # since when each account that is not online has been offline

    def add(self, wechat: WeChat) -> None:
        """Add an account."""
        self._wechats[wechat.account] = wechat

    def remove(self, account: str) -> None:
        """Remove an account; its queued messages are kept."""
        self._wechats.pop(account, None)
        self._since.pop(account, None)
        self._offline_since.pop(account, None)

    def __iter__(self) -> Iterator[WeChat]:
        return iter(self._wechats.values())

    def names(self) -> list[str]:
        """Return the names of the accounts."""
        return list(self._wechats)

    def get(self, account: str) -> WeChat:
        """Return the account of this name; raise AssistantUnknown."""
        try:
            return self._wechats[account]
        except KeyError:
            raise AssistantUnknown(account) from None

    def find(self, account: str) -> WeChat | None:
        """Return the account of that name, if it exists."""
        return self._wechats.get(account)

    def online(self, account: str) -> WeChat:
        """Return the account if it is online; raise AssistantUnknown or AssistantOffline."""
        wechat = self.get(account)
        if wechat.state is not State.ONLINE or not self._ownership.may_act():
            raise AssistantOffline(f"{account} is {wechat.state}", retry_after=RETRY_AFTER)
        return wechat

    def require(self, account: str, capability: Capability) -> None:
        """Raise NotSupported unless the account's channel has the capability, or AssistantUnknown."""
        if capability not in self.get(account).capabilities:
            raise NotSupported(f"{account}: {capability}")

    def is_online(self, account: str) -> bool:
        """Whether the account is online."""
        wechat = self._wechats.get(account)
        return wechat is not None and wechat.state is State.ONLINE and self._ownership.may_act()

    def holds(self, account: str) -> bool:
        """Whether this process serves the account, or is about to."""
        return self._ownership.holds(account)

    def state_changed(self, account: str, at: float) -> None:
        """Record a change of an account's connection state and wake waiters."""
        self._since[account] = at
        if self.is_online(account):
            self._offline_since.pop(account, None)
        else:
            self._offline_since.setdefault(account, at)
        self._changed.set()

    def since(self, account: str) -> float | None:
        """Return when the account entered its state (Unix seconds); None if that was at the start."""
        return self._since.get(account)

    def offline_since(self, account: str) -> float | None:
        """Return since when the account is offline, through all states; None if it is online or never was."""
        return self._offline_since.get(account)

    async def all_online(self, seconds: float, *accounts: str) -> None:
        """Wait until these accounts, or all, are online, at most `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not all(map(self.is_online, accounts or self._wechats)):
                    self._changed.clear()
                    await self._changed.wait()

    def is_own(self, contact_id: str) -> bool:
        """Whether this is the WeChat id of an assistant."""
        return any(wechat.self_id == contact_id for wechat in self._wechats.values())

    def rate_limiter(self, account: str) -> RateLimiter:
        """Return the rate limiter of an account."""
        return self._rate_limiters[account]

    def handle_rate_limit(self, account: str, error: Exception) -> None:
        """Halve the account's rates for a while if the error is 操作过于频繁."""
        if isinstance(error, WeChatTooFast):
            self.rate_limiter(account).slow_down()

    def find_rate_limiter(self, account: str) -> RateLimiter | None:
        """Return the rate limiter of an account; None if the account is no longer configured."""
        return self._rate_limiters.get(account)

    # ---- admins, by WeChat id ----

    def bind_admins(self, contact_ids: Collection[str]) -> None:
        """Replace the admins that were added by people."""
        self._bound_admins = set(contact_ids)

    @property
    def has_admin(self) -> bool:
        """Whether there is any admin."""
        return bool(self._configured_admins or self._bound_admins)

    def configure_admins(self, contact_ids: Collection[str]) -> None:
        """Replace the admins of the config."""
        self._configured_admins = frozenset(contact_ids)

    def configured_admins(self) -> list[str]:
        """Return the admins of the config."""
        return sorted(self._configured_admins)

    def is_configured_admin(self, contact_id: str) -> bool:
        """Whether the person is an admin by the config."""
        return contact_id in self._configured_admins

    def all_admins(self) -> list[str]:
        """Return all admins, except the sandbox's."""
        return sorted(self._configured_admins | self._bound_admins)

    def bind_admin(self, contact_id: str) -> None:
        """Make a person an admin of every assistant."""
        self._bound_admins.add(contact_id)

    def unbind_admin(self, contact_id: str) -> None:
        """Remove an added admin; admins of the config stay."""
        self._bound_admins.discard(contact_id)

    def is_admin(self, account: str, contact_id: str) -> bool:
        """Whether the person may command this assistant."""
        is_admin = contact_id in self._configured_admins or contact_id in self._bound_admins
        return is_admin or (account in self._sandboxed and contact_id == SANDBOX_ADMIN)

    def admins(self, account: str) -> list[str]:
        """Return the admins among the contacts of this assistant."""
        admins = set(self.all_admins()) | ({SANDBOX_ADMIN} if account in self._sandboxed else set())
        return sorted(admins & self.get(account).directory.contacts.keys())
