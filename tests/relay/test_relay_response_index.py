"""Which responses the relay has stored, without a lookup on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay import response_index
from relay.journal import Journal
from relay.response_index import ResponseIndex

PATH = "/wechaty.Puppet/MessagePayload"


def test_index_knows_what_was_added_and_removed() -> None:
    index = ResponseIndex()
    index.add(PATH, b"1")
    index.add(PATH, b"1")
    assert (len(index), index.may_have(PATH, b"1"), index.may_have(PATH, b"2")) == (1, True, False)
    assert not index.may_have("/wechaty.Puppet/MessageFile", b"1"), "of another call"
    index.remove([(PATH, b"2"), (PATH, b"1")])
    assert (len(index), index.may_have(PATH, b"1")) == (0, False)


def test_full_index_rules_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_index, "MAX_KEYS", 2)
    index, requests = ResponseIndex(), [b"1", b"2", b"3", b"4"]
    for request in requests:
        index.add(PATH, request)
    assert len(index) == 4
    assert all(index.may_have(PATH, request) for request in [*requests, b"other"])
    index.remove((PATH, request) for request in requests)
    assert (len(index), index.may_have(PATH, b"other")) == (0, False)


async def test_index_is_read_when_the_journal_is_opened(tmp_path: Path) -> None:
    for turn in range(2):
        journal = Journal(tmp_path / "journal.db")
        await journal.open()
        assert journal.responses.may_have(PATH, b"m1") == (turn == 1)
        assert not journal.responses.may_have(PATH, b"m2")
        await journal.store_response(PATH, b"m1", 1, b"payload")
        await journal.close()
