"""When the clock is trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.db import Store
from services.upkeep import clock_trust
from services.upkeep.clock_trust import ClockTrust

DAY = 86400.0
NOW = 1_700_000_000.0


class Machine:
    """A machine's uptime and boot id, in files as on Linux."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.uptime, self.boot = folder / "uptime", folder / "boot"
        self.store = store
        self.now = NOW
        self.is_at(1000.0)

    def is_at(self, uptime: float, boot: str = "one") -> None:
        self.uptime.write_text(f"{uptime} 1.0\n")
        self.boot.write_text(f"{boot}\n")

    async def is_trusted(self) -> bool:
        """Evaluated in a new process each time."""
        trust = ClockTrust(self.store, lambda: self.now)
        await trust.load()
        return await trust.is_trusted()


@pytest.fixture
async def machine(tmp_path: Path, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path, sqlite_store)
    monkeypatch.setattr(clock_trust, "UPTIME", machine.uptime)
    monkeypatch.setattr(clock_trust, "BOOT_ID", machine.boot)
    return machine


async def test_steady_clock_is_trusted(machine: Machine) -> None:
    assert await machine.is_trusted()
    machine.is_at(1000.0 + 30 * DAY)
    machine.now += 30 * DAY + 600
    assert await machine.is_trusted(), "up for a month"
    machine.now -= 400 * DAY
    assert await machine.is_trusted(), "set back: less is old than there is"


async def test_jump_while_running_is_not_trusted(machine: Machine) -> None:
    await machine.is_trusted()
    machine.is_at(1060.0)
    machine.now += 400 * DAY
    assert not await machine.is_trusted()
    assert not await machine.is_trusted(), "nor the second time"
    machine.now -= 400 * DAY - 60
    assert await machine.is_trusted(), "set right"


async def test_jumped_clock_is_trusted_after_a_week(machine: Machine) -> None:
    await machine.is_trusted()
    machine.now += 400 * DAY
    believed = []
    for day in range(10):
        machine.is_at(1000.0 + day * DAY)
        believed.append(await machine.is_trusted())
        machine.now += DAY
    assert believed == [False] * 8 + [True] * 2


async def test_second_jump_restarts_the_week(machine: Machine) -> None:
    await machine.is_trusted()
    machine.now += 400 * DAY
    assert not await machine.is_trusted()
    machine.is_at(1000.0 + 8 * DAY)
    machine.now += 16 * DAY
    assert not await machine.is_trusted()


async def test_first_reading_is_believed_and_stored(machine: Machine) -> None:
    trust = ClockTrust(machine.store, lambda: machine.now)
    assert await trust.is_trusted()
    machine.now += 400 * DAY
    assert not await ClockTrust(machine.store, lambda: machine.now).is_trusted()


async def test_size_of_the_jump_is_reported_while_the_clock_is_not_trusted(machine: Machine) -> None:
    trust = ClockTrust(machine.store, lambda: machine.now)
    await trust.load()
    machine.now += 400 * DAY
    assert not await trust.is_trusted()
    assert trust.jump_seconds == 400 * DAY
    machine.is_at(1000.0 + 8 * DAY)
    machine.now += 8 * DAY
    assert await trust.is_trusted()
    assert trust.jump_seconds == 0.0


@pytest.mark.parametrize(("gained", "believed"), [(3600.0, True), (3601.0, False)])
async def test_clock_may_gain_an_hour(machine: Machine, gained: float, believed: bool) -> None:
    await machine.is_trusted()
    machine.now += gained
    assert await machine.is_trusted() is believed


async def test_week_is_measured_by_the_machine(machine: Machine) -> None:
    await machine.is_trusted()
    machine.now += 400 * DAY
    assert not await machine.is_trusted()
    machine.is_at(1000.0 + 8 * DAY)
    machine.now += 6 * DAY  # it was set back by two days meanwhile
    assert await machine.is_trusted()


async def test_another_boot_is_compared_by_the_clock(machine: Machine) -> None:
    await machine.is_trusted()
    machine.is_at(2000.0, "two")
    machine.now += 3 * DAY
    assert await machine.is_trusted()


@pytest.mark.parametrize(("seconds", "believed"), [(7 * DAY, True), (7 * DAY + 1, False)])
async def test_machine_may_be_off_for_a_week(machine: Machine, seconds: float, believed: bool) -> None:
    await machine.is_trusted()
    machine.is_at(10.0, "two")
    machine.now += seconds
    assert await machine.is_trusted() is believed


async def test_other_systems_have_a_monotonic_clock(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.uptime.unlink()
    monkeypatch.setattr("services.upkeep.clock_trust.time.monotonic", lambda: 500.0)
    assert await machine.is_trusted()
    machine.now += 2 * 3600
    assert not await machine.is_trusted()


@pytest.mark.parametrize(("days", "believed"), [(3, True), (60, False)])
async def test_clock_is_trusted_after_a_short_power_off_only(machine: Machine, days: int, believed: bool) -> None:
    await machine.is_trusted()
    machine.is_at(10.0, "two")
    machine.now += days * DAY
    assert await machine.is_trusted() is believed
