"""A cluster member whose leases are kept in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from typing import cast

import pytest
from sqlalchemy.exc import OperationalError

from services.cluster import member as member_module
from services.cluster.leases import Leases, MemberView, View
from services.cluster.member import ClusterClock, ClusterMember
from services.work.ownership import GLOBAL
from tests.services.clock import Clock

LEASE, CAPACITY = 5.0, 10


AWAY = OperationalError("", {}, Exception("away"))


class Rows:
    """The leases of a cluster; the test sets its other members."""

    member = "m1"

    def __init__(self) -> None:
        self.server_time = 0.0
        self.mine: dict[str, int] = {}
        self.free: list[str] = []
        self.others: list[MemberView] = []
        self.jobs_free = False
        self.dead: list[str] = []
        self.calls: list[str] = []
        self.fails: dict[str, BaseException] = {}
        self.aborted = 0

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fails:
            raise self.fails[name]

    def join(self, *, starting: bool) -> str:
        assert starting
        self._call("join")
        return "secret"

    def begin(self) -> None:
        self._call("begin")

    def renew(self) -> dict[str, int]:
        self._call("renew")
        return dict(self.mine)

    def view(self, known: Collection[str]) -> View:
        self._call("view")
        own = MemberView(self.member, "http://m1", CAPACITY, "1", False, len(self.mine))
        held = sum(viewer.held for viewer in self.others) + len(self.mine.keys() - {GLOBAL})
        return View((own, *self.others), held + len(self.free), len(self.free), self.jobs_free)

    def claim(self, known: Collection[str], most: int) -> dict[str, int]:
        self._call(f"claim {len(known)} {most}")
        if GLOBAL in known:
            taken = [GLOBAL]
        else:
            taken = [account for account in self.free if account in known][:most]
            self.free = [account for account in self.free if account not in taken]
        self.mine |= dict.fromkeys(taken, 7)
        return dict.fromkeys(taken, 7)

    def remove_dead(self, seconds: float) -> list[str]:
        self._call(f"remove_dead {seconds}")
        return self.dead

    def release(self, accounts: Collection[str]) -> None:
        self._call("release")
        for account in accounts:
            self.mine.pop(account)

    def drain(self) -> None:
        self._call("drain")

    def notify(self, news: dict[str, int]) -> None:
        self._call(f"notify {news}")

    def leave(self) -> None:
        self._call("leave")

    def close(self) -> None:
        self._call("close")

    def abort(self) -> None:
        self.aborted += 1


class Boot:
    """The seconds since boot, set by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def boot(monkeypatch: pytest.MonkeyPatch) -> Boot:
    boot = Boot()
    monkeypatch.setattr(member_module, "boot_time", boot)
    return boot


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
async def member(rows: Rows, boot: Boot, clock: Clock) -> AsyncIterator[ClusterMember]:
    member = ClusterMember(cast("Leases", rows), ClusterClock(clock), CAPACITY, LEASE)
    rows.server_time = clock.now
    yield member
    rows.fails.clear()
    with suppress(RuntimeError):  # it is closed
        await member.close()
