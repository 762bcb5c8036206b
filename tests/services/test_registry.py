"""The registry of accounts: states, waiting for them, and admins."""

from __future__ import annotations

import asyncio

import pytest

from config.settings import PacingSettings
from errors import AssistantOffline, AssistantUnknown, NotSupported, WeChatRefused, WeChatTooFast
from services.accounts.registry import SANDBOX_ADMIN, Accounts
from services.work.ownership import LeasedAccounts
from tests.doubles import InMemoryWeChat
from tests.services.clock import Clock
from wechat.interface import Capability, State
from wechat.rate_limiter import RateLimiter

RETRY_AFTER = 5.0


class Registry:
    """Two accounts, `b` with a sandbox; the test sets whether the leases are valid."""

    def __init__(self) -> None:
        self.valid = True
        self.rate_limiter = RateLimiter(PacingSettings(), Clock())
        self.ownership = LeasedAccounts(lambda: self.valid, lambda _session, _account: None)
        self.accounts = Accounts({"a": self.rate_limiter}, ["wxid_config"], ["b"], self.ownership)
        self.a, self.b = InMemoryWeChat("a"), InMemoryWeChat("b")
        for wechat in (self.a, self.b):
            self.accounts.add(wechat.whole())


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_accounts_are_found_by_name(registry: Registry) -> None:
    accounts = registry.accounts
    assert accounts.names() == ["a", "b"]
    assert [account.account for account in accounts] == ["a", "b"]
    assert accounts.get("a") is registry.a.whole() and accounts.find("b") is registry.b.whole()
    accounts.remove("a")
    accounts.remove("a")
    assert (accounts.names(), accounts.find("a")) == (["b"], None)
    with pytest.raises(AssistantUnknown, match="a"):
        accounts.get("a")


def test_account_is_online_while_the_lease_holds(registry: Registry) -> None:
    accounts = registry.accounts
    assert accounts.online("a") is registry.a.whole()
    assert accounts.is_online("a") and not accounts.is_online("nobody")
    registry.valid = False
    assert not accounts.is_online("a")
    with pytest.raises(AssistantOffline):
        accounts.online("a")
    registry.valid = True
    registry.a.state = State.SYNCING
    assert not accounts.is_online("a")
    with pytest.raises(AssistantOffline, match="a is syncing") as caught:
        accounts.online("a")
    assert caught.value.retry_after == RETRY_AFTER == 5.0
    with pytest.raises(AssistantUnknown):
        accounts.online("nobody")


def test_account_is_held_by_its_lease(registry: Registry) -> None:
    registry.ownership.take("a")
    assert registry.accounts.holds("a") and not registry.accounts.holds("b")
    assert Accounts({}, [], []).holds("any"), "the only process holds all"


def test_capability_is_required(registry: Registry) -> None:
    registry.accounts.require("a", Capability.MEDIA)
    with pytest.raises(NotSupported, match="a: menu"):
        registry.accounts.require("a", Capability.MENU)
    with pytest.raises(AssistantUnknown):
        registry.accounts.require("nobody", Capability.MEDIA)


def test_time_of_the_state_and_of_going_offline(registry: Registry) -> None:
    accounts = registry.accounts
    assert (accounts.since("a"), accounts.offline_since("a")) == (None, None)
    for at, state in ((1.0, State.CONNECTING), (2.0, State.SYNCING)):
        registry.a.state = state
        accounts.state_changed("a", at)
    assert (accounts.since("a"), accounts.offline_since("a")) == (2.0, 1.0)
    registry.a.state = State.ONLINE
    accounts.state_changed("a", 3.0)
    assert (accounts.since("a"), accounts.offline_since("a")) == (3.0, None)
    registry.a.state = State.LOGGED_OUT
    accounts.state_changed("a", 4.0)
    accounts.remove("a")
    assert (accounts.since("a"), accounts.offline_since("a")) == (None, None)


async def test_waiting_for_accounts(registry: Registry) -> None:
    accounts = registry.accounts
    await accounts.all_online(1000)
    registry.b.state = State.SYNCING
    await accounts.all_online(1000, "a")
    waiting = asyncio.create_task(accounts.all_online(1000))
    for at in range(3):
        await asyncio.sleep(0)
        accounts.state_changed("b", at)
        await asyncio.sleep(0)
        assert not waiting.done()
    await accounts.all_online(0.01)  # in vain
    registry.b.state = State.ONLINE
    accounts.state_changed("b", 9.0)
    await waiting


def test_own_ids(registry: Registry) -> None:
    registry.a.self_id = "wxid_a"
    assert registry.accounts.is_own("wxid_a") and registry.accounts.is_own(registry.b.self_id)
    assert not registry.accounts.is_own("wxid_other")


def test_rate_limit_slows_the_account_down(registry: Registry) -> None:
    accounts = registry.accounts
    assert accounts.rate_limiter("a") is accounts.find_rate_limiter("a") is registry.rate_limiter
    assert accounts.find_rate_limiter("b") is None
    accounts.handle_rate_limit("a", WeChatRefused("c"))
    assert registry.rate_limiter.slow_until == 0
    accounts.handle_rate_limit("a", WeChatTooFast("c"))
    assert registry.rate_limiter.slow_until > 0


def test_admins_are_configured_or_bound(registry: Registry) -> None:
    accounts = registry.accounts
    accounts.bind_admins(["wxid_bound"])
    accounts.bind_admin("wxid_later")
    assert accounts.all_admins() == ["wxid_bound", "wxid_config", "wxid_later"]
    accounts.unbind_admin("wxid_later")
    accounts.unbind_admin("wxid_config")
    assert accounts.configured_admins() == ["wxid_config"]
    assert [accounts.is_admin("a", who) for who in ("wxid_config", "wxid_bound", "wxid_later")] == [True, True, False]
    assert accounts.is_configured_admin("wxid_config") and not accounts.is_configured_admin("wxid_bound")
    assert accounts.is_admin("b", SANDBOX_ADMIN) and not accounts.is_admin("a", SANDBOX_ADMIN)
    for wechat in (registry.a, registry.b):
        for who in ("wxid_config", SANDBOX_ADMIN):
            wechat.knows(who)
    assert accounts.admins("a") == ["wxid_config"], "those among its contacts"
    assert accounts.admins("b") == [SANDBOX_ADMIN, "wxid_config"]


def test_there_is_an_admin(registry: Registry) -> None:
    accounts = registry.accounts
    found = [accounts.has_admin]
    accounts.configure_admins([])
    found.append(accounts.has_admin)
    accounts.bind_admin("wxid_bound")
    found.append(accounts.has_admin)
    accounts.bind_admins([])
    found.append(accounts.has_admin)
    assert found == [True, False, True, False]
    accounts.configure_admins(["wxid_new"])
    assert accounts.configured_admins() == ["wxid_new"]
