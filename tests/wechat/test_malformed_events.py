"""Invalid events do not stop the stream."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from errors import WeChatError
from protocol import puppet_pb2 as pb
from sandbox.gateway.server import PuppetServer
from sandbox.world.world import SONG, World
from tests.wechat.recording_listener import RecordedAccount
from wechat import event_parser as intake
from wechat.interface import State

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEYS = (
    "messageId", "friendshipId", "roomInvitationId", "roomId", "inviteeIdList", "removeeIdList", "inviterId",
    "removerId", "changerId", "newTopic", "oldTopic", "timestamp", "contactId", "payloadType", "payloadId", "data",
    "gerror", "qrcode", "status",
)  # fmt: skip
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["a@chatroom", "x"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
objects = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)
payloads = st.one_of(
    objects.map(json.dumps),
    values.map(json.dumps),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(['{"messageId": "\\ud800"}', '{"roomId": "a\\u0000"}', "[" * 100_000, "{", "NaN", "1" * 5000]),
)
types = st.sampled_from([*pb.EventType.values(), 5, 99, 2**31 - 1, -1])
marks = count()


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(events=st.lists(st.tuples(types, payloads), min_size=1, max_size=8))
@example(events=[(pb.EVENT_ERROR, '{"gerror": "x"}'), (pb.EVENT_LOGOUT, "{}"), (pb.EVENT_SCAN, '{"status": 9}')])
async def test_any_event_is_survived(
    server: PuppetServer, recorded: RecordedAccount, events: list[tuple[int, str]]
) -> None:
    for type, payload in events:
        server.send_raw(pb.EventResponse(type=type, payload=payload))
    id = f"mark{next(marks)}"
    server.send_raw(pb.EventResponse(type=pb.EVENT_MESSAGE, payload=json.dumps({"messageId": id})))
    await recorded.listener.until(lambda: any(raw.id == id for raw in recorded.listener.raws))
    assert State.CONNECTING not in [state for state, _ in recorded.listener.states]
    for raw in recorded.listener.raws:  # whatever was taken can be kept by any database, and resolved without a crash
        assert "\0" not in raw.id
        json.dumps(raw.data).encode()
        assert datetime(2010, 1, 1, tzinfo=UTC) < raw.at
    recorded.listener.raws.clear()


@hypothesis_settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(sorted(intake.STORED_KINDS.values())), data=objects)
def test_event_is_stored_or_malformed_with_a_stable_id(kind: str, data: dict[str, Any]) -> None:
    try:
        raw = intake.raw_event("a", kind, data, NOW)
    except intake.MalformedEvent:
        return
    assert raw == intake.raw_event("a", kind, data, NOW)
    assert raw.kind == kind
    assert raw.id


async def test_malformed_stored_data_resolves_to_nothing(recorded: RecordedAccount) -> None:
    from wechat.events import RawEvent

    for kind in (*intake.STORED_KINDS.values(), "nonsense"):
        for data in ({}, {"messageId": 5}, {"roomId": "r"}, {"roomId": ["r"], "inviteeIdList": "x"}):
            raw = RawEvent("weimi1001", "x", kind, data, NOW)
            try:
                event = await recorded.assistant.resolve(raw)
                names = getattr(event, "contact_ids", ())
                assert event is None or (data == {"roomId": "r"} and not names)  # it names no one
            except WeChatError as error:
                pytest.fail(f"{kind} {data}: {error}")


async def test_event_contents_are_not_logged(
    server: PuppetServer, recorded: RecordedAccount, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    secret = "密码是123456"
    for type in (*pb.EventType.values(), 99):
        if type not in (pb.EVENT_LOGIN, pb.EVENT_SCAN):
            for payload in (secret, json.dumps([secret]), json.dumps({"data": secret, "messageId": [secret]})):
                server.send_raw(pb.EventResponse(type=type, payload=payload))
    server.send_raw(
        pb.EventResponse(type=pb.EVENT_LOGIN, payload=json.dumps({"contactId": recorded.assistant.self_id}))
    )
    await recorded.online()
    world.chats.say(SONG, recorded.assistant.self_id, secret)
    event = await recorded.assistant.resolve(await recorded.listener.raw("message"))
    assert event is not None
    await recorded.assistant.send_text(SONG, secret)
    assert caplog.records
    assert "密码" not in caplog.text
    assert "ignored an invalid message event" in caplog.text


@pytest.mark.parametrize(
    ("kind", "data", "other"),
    [
        ("message", {"messageId": "m1"}, {"messageId": "m2"}),
        ("friendship", {"friendshipId": "f1"}, {"friendshipId": "f2"}),
        ("room-invite", {"roomInvitationId": "i1"}, {"roomInvitationId": "i2"}),
        (
            "room-join",
            {"roomId": "r", "inviteeIdList": ["a", "b"], "timestamp": 1767323045},
            {"roomId": "r", "inviteeIdList": ["a", "b"], "timestamp": 1767323046},
        ),
        (
            "room-leave",
            {"roomId": "r", "removeeIdList": ["a"], "timestamp": 1767323045000},
            {"roomId": "r", "removeeIdList": ["b"], "timestamp": 1767323045000},
        ),
        (
            "room-topic",
            {"roomId": "r", "newTopic": "一", "timestamp": 1767323045},
            {"roomId": "r", "newTopic": "二", "timestamp": 1767323045},
        ),
    ],
)
def test_ids_are_stable_and_distinct(kind: str, data: dict[str, Any], other: dict[str, Any]) -> None:
    first = intake.raw_event("a", kind, data, NOW)
    later = datetime(2026, 1, 2, 4, tzinfo=UTC)
    assert first.id == intake.raw_event("a", kind, dict(reversed(data.items())), later).id
    assert first.id != intake.raw_event("a", kind, other, NOW).id


def test_id_depends_on_people_but_not_their_order() -> None:
    def id(*people: str) -> str:
        return intake.raw_event(
            "a", "room-join", {"roomId": "r", "inviteeIdList": people and [*people], "timestamp": 1767323045}, NOW
        ).id

    assert id("a", "b") == id("b", "a", "a")
    assert id("a", "b") != id("ab")


ODD_STAMPS: list[object] = [None, 0, -5, "1767323045", True, float("nan"), float("inf"), 10**20, 86400, []]


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        (1767323045, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (1767323045000, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (1767323045.5, datetime(2026, 1, 2, 3, 4, 5, 500000, tzinfo=UTC)),
        *[(odd, NOW) for odd in ODD_STAMPS],
    ],
)
def test_timestamps_in_seconds_milliseconds_and_invalid(stamp: Any, at: datetime) -> None:
    assert intake.moment(stamp, NOW) == at
