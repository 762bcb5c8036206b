"""Parsing of the gateway's events: limits of ids, lists of people, timestamps, and ids of stored events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wechat.event_parser import (
    MAX_ID_LENGTH,
    MalformedEvent,
    may_be_id,
    moment,
    parse,
    people_of,
    raw_event,
    text_of,
    text_or_empty,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


def test_object_is_parsed_and_unusable_characters_are_replaced() -> None:
    assert parse('{"text": "\\ud83d"}') == {"text": "\N{REPLACEMENT CHARACTER}"}
    assert parse('{"a": {"b": ["\\u0000"]}}') == {"a": {"b": ["\N{REPLACEMENT CHARACTER}"]}}
    assert parse('{"text": "你好"}') == {"text": "你好"}


@pytest.mark.parametrize(
    ("payload", "error"),
    [("", "no JSON"), ("{", "no JSON"), ("[" * 100_000, "no JSON"), ("[]", "a JSON list"), ("5", "a JSON int")],
)
def test_anything_but_an_object_is_malformed(payload: str, error: str) -> None:
    with pytest.raises(MalformedEvent, match=error):
        parse(payload)


@pytest.mark.parametrize("value", ["x", "x" * MAX_ID_LENGTH])
def test_text_up_to_the_limit_is_usable(value: str) -> None:
    assert MAX_ID_LENGTH == 400
    assert text_of({"id": value}, "id") == value


@pytest.mark.parametrize("data", [{}, {"id": None}, {"id": 5}, {"id": ["x"]}, {"id": ""}, {"id": "x" * 401}])
def test_missing_or_oversized_text_is_malformed(data: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent, match="no usable id"):
        text_of(data, "id")


def test_empty_text_is_usable_only_where_allowed() -> None:
    assert text_of({"newTopic": ""}, "newTopic", allow_empty=True) == ""
    with pytest.raises(MalformedEvent):
        text_of({"newTopic": "x" * 401}, "newTopic", allow_empty=True)
    with pytest.raises(MalformedEvent):
        text_of({}, "newTopic", allow_empty=True)


def test_optional_text_is_empty_when_missing_or_of_another_type() -> None:
    assert text_or_empty({"a": "x"}, "a") == "x"
    assert text_or_empty({"a": 5}, "a") == ""
    assert text_or_empty({}, "a") == ""


def test_people_are_listed_once_and_invalid_entries_are_skipped() -> None:
    listed = ["b", "a", "b", "", 5, None, "x" * MAX_ID_LENGTH, "x" * (MAX_ID_LENGTH + 1)]
    assert people_of({"ids": listed}, "ids") == ("b", "a", "x" * MAX_ID_LENGTH)
    assert people_of({"ids": "ab"}, "ids") == ()
    assert people_of({}, "ids") == ()


@pytest.mark.parametrize("text", ["ab", "wxid_a1", "gh_1", "1@chatroom", "v1_a+b/c=", "a.b-c:d"])
def test_text_may_be_an_id(text: str) -> None:
    assert may_be_id(text)


@pytest.mark.parametrize("text", ["", "a", "李逵", "a b", "wxid_a\n", "a李"])
def test_other_text_is_not_an_id(text: str) -> None:
    assert not may_be_id(text)


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (int(datetime(2010, 1, 1, tzinfo=UTC).timestamp()), NOW),  # WeChat did not exist yet
        (int(datetime(2010, 1, 1, tzinfo=UTC).timestamp()) + 1, datetime(2010, 1, 1, 0, 0, 1, tzinfo=UTC)),
        (SECONDS + 86400, NOW),  # a day ahead
        (SECONDS + 86399, NOW + timedelta(seconds=86399)),
        (SECONDS * 1000 + 250, NOW + timedelta(milliseconds=250)),
        (1e14, NOW),
        ("1", NOW),
        (False, NOW),
    ],
)
def test_implausible_time_is_replaced_by_the_arrival(value: Any, at: datetime) -> None:
    assert moment(value, NOW) == at


@pytest.mark.parametrize(
    ("kind", "data", "id", "at"),
    [
        ("message", {"messageId": "m1", "timestamp": 1_600_000_000}, "m1", NOW),
        ("friendship", {"friendshipId": "f1"}, "friendship:f1", NOW),
        ("room-invite", {"roomInvitationId": "i1"}, "room-invite:i1", NOW),
        (
            "room-join",
            {"roomId": "r", "inviteeIdList": ["b", "a"], "timestamp": SECONDS * 1000 - 5},
            f"room-join:r:ffc151170352baa3:{SECONDS * 1000 - 5}",
            NOW - timedelta(milliseconds=5),
        ),
        (
            "room-leave",
            {"roomId": "r", "removeeIdList": ["a"], "timestamp": SECONDS - 1},
            f"room-leave:r:40f89e395b66422f:{SECONDS * 1000 - 1000}",
            NOW - timedelta(seconds=1),
        ),
        ("room-topic", {"roomId": "r", "newTopic": ""}, f"room-topic:r:e4a6a0577479b2b4:{SECONDS * 1000}", NOW),
    ],
)
def test_id_of_a_stored_event_does_not_change_between_versions(
    kind: str, data: dict[str, Any], id: str, at: datetime
) -> None:
    """A gateway may repeat an event that an earlier version has stored under this id."""
    raw = raw_event("a", kind, data, NOW)
    assert (raw.account, raw.kind, raw.data, raw.position) == ("a", kind, data, "")
    assert (raw.id, raw.at) == (id, at)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("message", {"friendshipId": "m1"}),
        ("room-join", {"inviteeIdList": ["a"]}),
        ("room-topic", {"roomId": "r"}),
        ("room-leave", {"roomId": "", "removeeIdList": []}),
    ],
)
def test_event_without_its_subject_is_malformed(kind: str, data: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent):
        raw_event("a", kind, data, NOW)
