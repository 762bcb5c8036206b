"""Who is viewing and writing which ticket in the console."""

from __future__ import annotations

import pytest

from services.changes import ChangeFeed
from services.support import ticket_viewers
from services.support.ticket_viewers import Activity, TicketViewers


class Seconds:
    """Instead of the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    clock = Seconds()
    monkeypatch.setattr(ticket_viewers, "time", clock)
    return clock


def test_others_at_the_ticket_are_shown(seconds: Seconds) -> None:
    people = TicketViewers(ChangeFeed())
    people.record_activity(1, "s1", "宋公明", Activity.VIEWING)
    people.record_activity(1, "s2", "智多星", Activity.WRITING)
    people.record_activity(2, "s3", "黑旋风", Activity.VIEWING)
    assert [(viewer.name, viewer.doing) for viewer in people.other_viewers(1, "s1")] == [("智多星", Activity.WRITING)]
    assert [viewer.name for viewer in people.other_viewers(1, "s9")] == ["宋公明", "智多星"]
    assert people.other_viewers(3, "s1") == []
    people.record_activity(1, "s2", "智多星", Activity.LEFT)
    assert people.other_viewers(1, "s1") == []


@pytest.mark.parametrize(("after", "is_present"), [(20.0, True), (20.1, False)])
def test_person_counts_as_present_for_twenty_seconds(seconds: Seconds, after: float, is_present: bool) -> None:
    people = TicketViewers(ChangeFeed())
    people.record_activity(1, "s1", "宋公明", Activity.VIEWING)
    seconds.now += after
    assert bool(people.other_viewers(1, "s2")) is is_present
    assert (1 in people._people) is is_present, "who is gone uses no memory"


def test_only_changes_are_published(seconds: Seconds) -> None:
    changes = ChangeFeed()
    people = TicketViewers(changes)
    seen = []
    for doing in (Activity.VIEWING, Activity.VIEWING, Activity.WRITING, Activity.LEFT, Activity.LEFT):
        people.record_activity(7, "s1", "宋公明", doing)
        seen.append(changes.last)
    assert seen == [1, 1, 2, 3, 3]
    assert [(change.kind, change.facts) for change in changes.after(0)] == [("presence", {"id": 7})] * 3
