"""What the relay's journal deletes, and errors of its file."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from relay import journal as module
from relay.journal import Journal, JournalError

PATH = "/wechaty.Puppet/MessagePayload"
EVENT, RESPONSE = b"event", b"payload"


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """A journal with one event and its payload."""
    journal = Journal(tmp_path / "journal.db")
    await journal.open()
    journal.append([EVENT], lambda _number, error: None)
    await journal.store_response(PATH, b"m1", 1, RESPONSE)
    yield journal
    await journal.close()


async def test_payload_outlives_the_acknowledgement_of_its_event(journal: Journal) -> None:
    """The client asks for the payload after it has stored the event, and again after a crash."""
    journal.acknowledge(1)
    await journal.prune(0.0)
    await journal.prune(0.0)
    assert await journal.read(0, 10) == []
    assert (await journal.response(PATH, b"m1"), len(journal.responses)) == (RESPONSE, 1)


async def test_payload_is_deleted_once_it_was_kept_long_enough(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESPONSE_SECONDS", 0.0)
    await journal.prune(0.0)
    assert await journal.response(PATH, b"m1") == RESPONSE, "nobody has the event"
    journal.acknowledge(1)
    await journal.prune(0.0)
    assert (await journal.response(PATH, b"m1"), journal.responses.may_have(PATH, b"m1")) == (None, False)


async def test_payload_is_deleted_with_an_expired_event(journal: Journal) -> None:
    await journal.prune(journal.clock.now + 1)
    assert await journal.read(0, 10) == []
    assert await journal.response(PATH, b"m1") is None


async def test_file_shrinks_after_many_events(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "large.db")
    await journal.open()
    for _ in range(4):
        journal.append([bytes(4000)] * 500, lambda _number, error: None)
    await journal.store_response(PATH, b"m1", 2000, RESPONSE)
    journal.acknowledge(2000)
    for _ in range(3):
        await journal.prune(0.0)
    await journal.close()
    assert (tmp_path / "large.db").stat().st_size < 2_000_000, "of 8 MB"


async def test_many_events_are_deleted_with_little_disk(tmp_path: Path) -> None:
    """The disk may be nearly full."""
    journal = Journal(tmp_path / "large.db")
    await journal.open()
    for _ in range(100):
        journal.append([bytes(700)] * 500, lambda _number, error: None)
    await journal.store_response(PATH, b"m1", 50_000, RESPONSE)
    before = (tmp_path / "large.db-wal").stat().st_size
    journal.acknowledge(50_000)
    await journal.prune(0.0)
    assert await journal.read(0, 1) == []
    assert (tmp_path / "large.db-wal").stat().st_size - before < 1_000_000
    await journal.close()


async def test_file_that_can_be_opened_only_once_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many open files; without a connection for writing, events would wait forever."""
    connect: Any = sqlite3.connect
    left = [1]

    def limited(*arguments: Any, **options: Any) -> Any:
        if not left:
            raise sqlite3.OperationalError("unable to open database file")
        left.pop()
        return connect(*arguments, **options)

    monkeypatch.setattr("relay.journal_tables.sqlite3.connect", limited)
    with pytest.raises(JournalError, match="unable to open"):
        await Journal(tmp_path / "other.db").open()
