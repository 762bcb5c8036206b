"""The fair shares of the members of a cluster, and leases without a connection."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from services.cluster.leases import Leases, MemberView, View


def member(id: str, held: int = 0, capacity: int = 100, *, draining: bool = False, is_late: bool = False) -> MemberView:
    return MemberView(id, f"http://{id}", capacity, "1", draining, held, is_late)


def view(accounts: int, *members: MemberView, orphans: int = 0) -> View:
    return View(members, accounts, orphans, jobs_free=False)


@pytest.mark.parametrize(
    ("accounts", "shares"), [(0, (0, 0, 0)), (1, (1, 1, 1)), (9, (3, 3, 3)), (10, (4, 4, 4)), (301, (100, 100, 100))]
)
def test_share_is_rounded_up_and_within_the_capacity(accounts: int, shares: tuple[int, ...]) -> None:
    seen = view(accounts, member("a"), member("b"), member("c"))
    assert tuple(seen.fair_share(name) for name in "abc") == shares


def test_fair_share_follows_the_capacity_of_members_not_leaving() -> None:
    seen = view(90, member("small", capacity=50), member("large"), member("leaving", draining=True))
    assert [seen.fair_share(name) for name in ("small", "large", "leaving", "unknown")] == [30, 60, 0, 0]


def test_member_without_heartbeats_has_no_share() -> None:
    """What is free would wait for it until it is removed."""
    seen = view(90, member("a", 30), member("b", 30), member("frozen", is_late=True))
    assert [seen.fair_share(name) for name in ("a", "b", "frozen")] == [45, 45, 0]
    assert not view(60, member("a", 30), member("b", 30), member("frozen", is_late=True)).is_uneven


def test_member_is_not_late_without_its_heartbeat_being_overdue() -> None:
    assert MemberView("a", "http://a", 100, "1", draining=False, held=0).takes_accounts


@pytest.mark.parametrize(("held", "uneven"), [((2, 2), False), ((3, 1), True), ((4, 0), True), ((2, 3), False)])
def test_cluster_is_uneven_if_a_member_is_below_its_share(held: tuple[int, int], uneven: bool) -> None:
    assert view(4, *(member(name, number) for name, number in zip("ab", held, strict=True))).is_uneven is uneven
    assert not view(0).is_uneven


# ---- without a connection ----


@pytest.fixture
def leases() -> Leases:
    return Leases("postgresql://127.0.0.1:1/nowhere", "m1", "http://10.0.0.1:8080", 500, "1")


def test_nothing_is_claimed_without_accounts_or_a_number(leases: Leases) -> None:
    assert leases.claim([], 5) == leases.claim(["a"], 0) == leases.claim(["a"], -1) == {}
    assert leases.server_time == 0.0, "unknown"


def test_connection_that_was_never_opened_is_closed(leases: Leases) -> None:
    leases.abort()
    leases.close()
    with pytest.raises(OperationalError):
        leases.renew()
