"""What a member does with its accounts when their leases have ended."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from app.cluster import Cluster
from services.changes import ChangeFeed
from services.work.ownership import LeasedAccounts


class Assistants:
    """Records which accounts are disconnected."""

    def __init__(self) -> None:
        self.disconnected: list[str] = []
        self.accounts: list[str] = []

    def disconnect(self, account: str) -> None:
        self.disconnected.append(account)

    async def start(self, settings: Any, epoch: int) -> None:
        raise AssertionError("the lease has ended")


class Member:
    """A membership whose leases the test sets."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.id = "m1"

    def valid(self) -> bool:
        return True

    def surplus(self) -> list[str]:
        return []


@pytest.fixture
def assistants() -> Assistants:
    return Assistants()


@pytest.fixture
def member() -> Member:
    return Member()


@pytest.fixture
def cluster(assistants: Assistants, member: Member) -> Cluster:
    ownership = LeasedAccounts(member.valid, lambda _session, _account: None)
    parts: Any = SimpleNamespace(member=member, leases=None, pending_notifications=None, ownership=ownership)
    container: Any = SimpleNamespace(config=SimpleNamespace(database="postgresql://db/x"), changes=ChangeFeed())
    made: Any = Cluster(container, parts, assistants, None, lambda: 0.0, lambda: None)  # type: ignore[arg-type]
    made._known = dict.fromkeys("ab")
    return made  # type: ignore[no-any-return]


@pytest.mark.parametrize("held", [{"b": 7}, {"a": 9, "b": 7}])
async def test_account_without_its_lease_is_disconnected_while_it_is_moved(
    cluster: Cluster, assistants: Assistants, member: Member, held: dict[str, int]
) -> None:
    """It is being handed over, and what runs gets seconds to finish."""
    cluster.serving, member.held = {"a": 5, "b": 7}, held
    cluster._move("a", asyncio.sleep(3600))
    cluster._compare()
    assert assistants.disconnected == ["a"]
    await cluster.stop()


async def test_account_is_not_started_when_its_lease_ended_while_it_was_loaded(
    cluster: Cluster, assistants: Assistants, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = []

    async def load(account: str) -> None:
        member.held = {"a": 9}

    async def drop(account: str, _grace: float) -> None:
        dropped.append(account)

    monkeypatch.setattr(cluster, "_load", load)
    monkeypatch.setattr(cluster, "_drop", drop)
    member.held = {"a": 5}
    await cluster._take("a", 5)
    assert dropped == ["a"]
