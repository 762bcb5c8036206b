"""Events are stored as JSON and read back as they were."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.work import event_codec
from wechat import events

FROM = ("a", "id-1", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
SAMPLES: list[events.Event] = [
    events.FriendRequested(*FROM, "x", "f", hello="你好", name="黑旋风"),
    events.FriendAdded(*FROM, "x", "黑旋风", is_new=False),
    events.PrivateMessage(
        *FROM, "x", "黑旋风", "您好", events.MessageKind.IMAGE, quoted="图", quoted_kind=events.MessageKind.FILE
    ),
    events.GroupMessage(*FROM, "x", "黑旋风", "@店长 在吗", room_id="r", mentions=("y", "z"), arrived_at=1.5),
    events.StaffMessage(*FROM, "x", "s", "在", events.MessageKind.LINK),
    events.SessionChanged(*FROM, "x", events.SessionStep.ENDED, "s"),
    events.MessageFailed(*FROM, "x", "7", "删除", unfriended=True),
    events.MemberJoined(*FROM, "r", ("x", "y"), "z"),
    events.MemberLeft(*FROM, "r", ("x",), "z"),
    events.TopicChanged(*FROM, "r", "新", "旧", "x"),
    events.RoomInvited(*FROM, "i", "x", "群"),
]


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: type(event).__name__)
def test_an_event_is_read_as_it_was_written(event: events.Event) -> None:
    read = event_codec.decode(event_codec.encode(event))
    assert read == event
    assert type(read) is type(event)
    for name in ("kind", "quoted_kind", "step", "mentions", "contact_ids"):
        assert type(getattr(read, name, None)) is type(getattr(event, name, None)), name


def test_every_kind_of_event_is_covered() -> None:
    assert {type(event).__name__ for event in SAMPLES} == set(event_codec._KINDS)
