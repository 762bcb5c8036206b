"""The age of the relay's events, whatever the machine's clock says."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from relay.config import RelaySettings
from relay.journal import Journal
from relay.relay import DAY, Relay
from tests.ports import free_port
from tests.waiting import until

MONTH = 30 * DAY


async def _numbers(journal: Journal) -> list[int]:
    return [number for number, _, _ in await journal.read(0, 10)]


def _set_clock(patch: pytest.MonkeyPatch, seconds: float) -> None:
    patch.setattr(time, "time", lambda now=time.time: now() + seconds)


async def _after_pruning(folder: Path) -> list[int]:
    """Start a relay that keeps events for three days, of which the client has the first; return those it keeps."""
    address = f"127.0.0.1:{free_port()}"
    settings = RelaySettings(listen=address, endpoint=f"127.0.0.1:{free_port()}", token="t", name="relay")
    relay = Relay(settings, folder)
    await relay.start()
    try:

        async def is_pruned() -> bool:
            return 1 not in await _numbers(relay.journal)

        await until(is_pruned, "the first event is deleted")
        return await _numbers(relay.journal)
    finally:
        await relay.stop()


async def _two_events(folder: Path) -> None:
    journal = Journal(folder / "relay.db")
    await journal.open()
    journal.append([b"received", b"waiting"], lambda _first, _error: None)
    journal.acknowledge(1)
    await journal.close()


async def test_event_survives_a_clock_that_is_set_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine starts with a clock that is a month ahead."""
    await _two_events(tmp_path)
    _set_clock(monkeypatch, MONTH)
    assert await _after_pruning(tmp_path) == [2]


async def test_event_that_came_while_the_clock_was_behind_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine starts with a clock that is a month behind, and corrects it."""
    with monkeypatch.context() as behind:
        _set_clock(behind, -MONTH)
        await _two_events(tmp_path)
    assert await _after_pruning(tmp_path) == [2]


async def test_age_is_counted_on_in_the_next_process(tmp_path: Path) -> None:
    await _two_events(tmp_path)
    for days in (2, 4):
        journal = Journal(tmp_path / "relay.db")
        await journal.open()
        journal.clock.start(journal.clock.now + 2 * DAY)  # as if open for so long
        ((_, at, _),) = await journal.read(1, 1)
        assert days * DAY < journal.clock.now - at < days * DAY + MONTH
        await journal.close()
    assert await _after_pruning(tmp_path) == []


async def test_events_of_an_earlier_version_survive_a_wrong_clock(tmp_path: Path) -> None:
    """Their times are those of the machine's clock, which may have been wrong then or be wrong now."""
    await _two_events(tmp_path)
    file = sqlite3.connect(tmp_path / "relay.db")
    with file:
        file.execute("delete from fact where key = 'clock'")
        file.execute("update event set at = ?", (time.time() - MONTH,))
    file.close()
    assert await _after_pruning(tmp_path) == [2]
