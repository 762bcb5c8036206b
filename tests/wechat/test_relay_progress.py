"""Progress reported to a relay."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from wechat.relay_progress import ACKNOWLEDGE_EVERY, RelayProgress

JOURNAL = "ab12"


def _begun(position: str = "", clock: Callable[[], float] | None = None) -> RelayProgress:
    progress = RelayProgress(clock or count(0, ACKNOWLEDGE_EVERY).__next__)
    progress.begin(7, position)
    return progress


def test_plain_gateway_has_no_event_numbers() -> None:
    progress = _begun()
    progress.opened("")
    assert progress.position_of(0) == ""
    assert progress.position_metadata(resuming=False) == {}
    assert progress.base_metadata() == {"relay-epoch": "7"}


def test_only_stored_events_are_acknowledged() -> None:
    progress = _begun()
    assert progress.position_metadata(resuming=True) == {"relay-resume": "new"}
    progress.opened(JOURNAL)
    first, second = progress.position_of(1), progress.position_of(2)
    assert "relay-acknowledged" not in progress.position_metadata(resuming=False)
    progress.acknowledge(first)
    assert progress.position_metadata(resuming=False) == {"relay-acknowledged": "ab12:1"}
    progress.record_unstored(3)
    assert progress.position_metadata(resuming=False) == {"relay-acknowledged": "ab12:1"}, (
        "the second is not stored yet"
    )
    progress.acknowledge(second)
    progress.acknowledge(first)
    assert progress.position_metadata(resuming=True) == {"relay-acknowledged": "ab12:2", "relay-resume": "ab12:2"}
    progress.record_unstored(4)
    assert progress.position_metadata(resuming=False) == {"relay-acknowledged": "ab12:4"}


def test_position_of_another_journal_is_ignored() -> None:
    progress = _begun("ff00:9")
    progress.opened(JOURNAL)
    progress.acknowledge("ff00:12")
    progress.acknowledge(progress.position_of(1))
    assert progress.position_metadata(resuming=False) == {"relay-acknowledged": "ab12:1"}


def test_calls_in_quick_succession_repeat_the_last_acknowledgement() -> None:
    now = 0.0
    progress = _begun(clock=lambda: now)
    progress.opened(JOURNAL)
    acknowledged = []
    for number in range(1, 9):
        progress.acknowledge(progress.position_of(number))
        acknowledged.append(progress.position_metadata(resuming=False)["relay-acknowledged"])
        now += ACKNOWLEDGE_EVERY / 4
    assert acknowledged == ["ab12:1"] * 4 + ["ab12:5"] * 4
    assert progress.position_metadata(resuming=True)["relay-resume"] == "ab12:8", "resuming is exact"
    now += ACKNOWLEDGE_EVERY
    assert progress.position_metadata(resuming=False) == {"relay-acknowledged": "ab12:8"}, (
        "the last one is never left out"
    )


def test_acknowledgement_follows_a_new_journal_at_once() -> None:
    progress = _begun(clock=lambda: 0.0)
    progress.opened(JOURNAL)
    progress.acknowledge(progress.position_of(5))
    assert progress.position_metadata(resuming=False) == {"relay-acknowledged": "ab12:5"}
    progress.opened("cd34")
    assert progress.position_metadata(resuming=False) == {}
    progress.acknowledge(progress.position_of(1))
    assert progress.position_metadata(resuming=False) == {"relay-acknowledged": "cd34:1"}


def test_restarted_account_acknowledges_its_stored_position() -> None:
    progress = _begun(clock=lambda: 0.0)
    progress.opened(JOURNAL)
    progress.acknowledge(progress.position_of(5))
    assert progress.position_metadata(resuming=False) == {"relay-acknowledged": "ab12:5"}
    progress.begin(8, "ab12:3")
    assert progress.position_metadata(resuming=True) == {"relay-acknowledged": "ab12:3", "relay-resume": "ab12:3"}


def test_nothing_is_sent_before_an_epoch_is_set() -> None:
    progress = RelayProgress()
    assert progress.base_metadata() == {}
    assert progress.position_metadata(resuming=True) == {}


def test_event_that_is_not_stored_waits_for_those_before_it() -> None:
    progress = _begun()
    progress.opened(JOURNAL)
    progress.record_unstored(1)
    assert progress.position_metadata(resuming=False) == {"relay-acknowledged": "ab12:1"}, "none is pending"
    progress = _begun()
    progress.opened(JOURNAL)
    progress.position_of(1)
    progress.record_unstored(2)
    assert progress.position_metadata(resuming=False) == {}


def test_events_without_a_number_or_a_relay_have_no_position() -> None:
    progress = _begun()
    progress.record_unstored(5)
    assert progress.position_of(5) == ""
    progress.opened(JOURNAL)
    assert progress.position_of(0) == ""
    progress.record_unstored(0)
    assert progress.position_metadata(resuming=False) == {}
    assert ACKNOWLEDGE_EVERY == 0.25
