"""Progress reported to a relay."""

from __future__ import annotations

from wechat.relay_progress import RelayProgress

JOURNAL = "ab12"


def _begun(position: str = "") -> RelayProgress:
    progress = RelayProgress()
    progress.begin(7, position)
    return progress


def test_plain_gateway_has_no_event_numbers() -> None:
    progress = _begun()
    progress.opened("")
    assert progress.position_of(0) == ""
    assert progress.current(resuming=False) == {}
    assert progress.constant() == {"relay-epoch": "7"}


def test_only_stored_events_are_acknowledged() -> None:
    progress = _begun()
    assert progress.current(resuming=True) == {"relay-resume": "new"}
    progress.opened(JOURNAL)
    first, second = progress.position_of(1), progress.position_of(2)
    assert "relay-acknowledged" not in progress.current(resuming=False)
    progress.acknowledge(first)
    assert progress.current(resuming=False) == {"relay-acknowledged": "ab12:1"}
    progress.passed(3)
    assert progress.current(resuming=False) == {"relay-acknowledged": "ab12:1"}, "the second is not stored yet"
    progress.acknowledge(second)
    progress.acknowledge(first)
    assert progress.current(resuming=True) == {"relay-acknowledged": "ab12:2", "relay-resume": "ab12:2"}
    progress.passed(4)
    assert progress.current(resuming=False) == {"relay-acknowledged": "ab12:4"}


def test_position_of_another_journal_is_ignored() -> None:
    progress = _begun("ff00:9")
    progress.opened(JOURNAL)
    progress.acknowledge("ff00:12")
    progress.acknowledge(progress.position_of(1))
    assert progress.current(resuming=False) == {"relay-acknowledged": "ab12:1"}
