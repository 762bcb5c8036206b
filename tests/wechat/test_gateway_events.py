"""Events of the gateway: what is stored, and what changes in the directory at once."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from protocol import puppet_pb2 as pb
from tests.wechat.scripted_wire import ME, ROOM, SONG, ScriptedAccount
from wechat.directory_updates import STALE_LISTS
from wechat.entities import Contact
from wechat.events import RawEvent
from wechat.interface import ScanState, State
from wechat.problems import Problem, Reason

LATE = "late-room"


async def receive(account: ScriptedAccount, number: int, data: Any = None, relay_number: int = 0) -> None:
    payload = data if isinstance(data, str) else json.dumps(data or {})
    await account.events.received(number, payload, relay_number)


def queued(account: ScriptedAccount) -> list[RawEvent]:
    """The events that wait to be stored."""
    queue = account.assistant._queue
    found = []
    while not queue.empty():
        found.append(queue.get_nowait())
        queue.task_done()
    return found


def acknowledged(account: ScriptedAccount) -> str:
    return account.assistant.relay.position_metadata(resuming=True)["relay-resume"]


@pytest.fixture
def relayed(account: ScriptedAccount) -> ScriptedAccount:
    """The account behind a relay, whose event 4 is stored."""
    account.assistant.begin(1, "ab12:4")
    account.assistant.relay.opened("ab12")
    return account


# ---- storing ----


async def test_event_is_queued_to_be_stored(account: ScriptedAccount) -> None:
    await receive(account, pb.EVENT_MESSAGE, {"messageId": "m1"})
    (raw,) = queued(account)
    assert (raw.account, raw.id, raw.kind, raw.data, raw.position) == ("a", "m1", "message", {"messageId": "m1"}, "")
    assert abs(raw.at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_event_of_a_relay_has_a_position_and_is_acknowledged_when_stored(relayed: ScriptedAccount) -> None:
    await receive(relayed, pb.EVENT_MESSAGE, {"messageId": "m1"}, 5)
    assert [raw.position for raw in queued(relayed)] == ["ab12:5"]
    assert acknowledged(relayed) == "ab12:4"
    relayed.assistant.acknowledge("ab12:5")
    assert acknowledged(relayed) == "ab12:5"


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (pb.EVENT_MESSAGE, {"messageId": "own"}),
        (pb.EVENT_MESSAGE, {"messageId": 5}),
        (pb.EVENT_MESSAGE, "no JSON"),
        (pb.EVENT_HEARTBEAT, "no JSON"),
        (pb.EVENT_READY, {}),
        (999, {}),
    ],
)
async def test_event_that_is_not_stored_is_acknowledged_at_once(
    relayed: ScriptedAccount, number: int, data: Any
) -> None:
    relayed.assistant._sent_messages.add("own")
    await receive(relayed, number, data, 5)
    assert queued(relayed) == []
    assert acknowledged(relayed) == "ab12:5"


async def test_invalid_and_unknown_events_are_logged_without_their_content(
    account: ScriptedAccount, caplog: pytest.LogCaptureFixture
) -> None:
    await receive(account, pb.EVENT_MESSAGE, {"messageId": ["密码"]})
    await receive(account, 999, {"x": "密码"})
    await receive(account, pb.EVENT_HEARTBEAT, {"data": "密码"})
    assert [record.getMessage() for record in caplog.records] == [
        "a: ignored an invalid message event: no usable messageId",
        "a: ignored an event of unknown type 999",
    ]


async def test_failure_of_an_event_is_logged_by_its_type_only(
    account: ScriptedAccount, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take(_raw: RawEvent) -> None:
        raise OSError("密码")

    monkeypatch.setattr(account.assistant, "take", take)
    await receive(account, pb.EVENT_MESSAGE, {"messageId": "m1"})
    assert [record.getMessage() for record in caplog.records] == ["a: message event failed: OSError"]


# ---- groups ----


async def test_join_adds_members_and_wakes_those_who_wait(account: ScriptedAccount) -> None:
    account.joins(SONG)
    waiting = account.assistant._join_seen
    await receive(account, pb.EVENT_ROOM_JOIN, {"roomId": ROOM, "inviteeIdList": ["bb"]})
    assert account.directory.rooms[ROOM].member_ids == {ME, SONG, "bb"}
    assert waiting.is_set()
    assert account.assistant._join_seen is not waiting
    assert account.updates._stale == {}
    assert len(queued(account)) == 1


@pytest.mark.parametrize(
    ("people", "members", "stale"),
    [
        (["bb"], {"bb"}, False),
        (["李逵"], set(), True),  # a name is not an id
        (["bb", "李逵"], {"bb"}, True),
        ([], set(), True),
        (["c"], {"c"}, False),  # a known contact, whatever its id looks like
    ],
)
async def test_join_without_ids_has_the_group_read_again(
    account: ScriptedAccount, people: list[str], members: set[str], stale: bool
) -> None:
    account.joins()
    account.knows(Contact("c", "吴用"))
    await receive(account, pb.EVENT_ROOM_JOIN, {"roomId": ROOM, "inviteeIdList": people})
    assert account.directory.rooms[ROOM].member_ids == {ME, *members}
    assert ((LATE, ROOM) in account.updates._stale) is stale


async def test_late_join_has_the_group_read_again(account: ScriptedAccount) -> None:
    await receive(account, pb.EVENT_ROOM_JOIN, {"roomId": ROOM, "inviteeIdList": ["bb"]})
    assert list(account.updates._stale) == [(LATE, ROOM)], "the group is unknown"
    assert account.updates._is_stale.is_set()


@pytest.mark.parametrize(
    ("people", "members", "stale", "hinted"),
    [
        (["bb"], {"cc"}, False, False),
        (["bb", "cc"], set(), False, False),
        (["李逵"], {"bb", "cc"}, True, True),
        (["bb", "李逵"], {"cc"}, True, True),
        ([], {"bb", "cc"}, True, True),
    ],
)
async def test_leave_removes_members_and_records_unknown_ones(
    account: ScriptedAccount, people: list[str], members: set[str], stale: bool, hinted: bool
) -> None:
    account.joins("bb", "cc")
    await receive(account, pb.EVENT_ROOM_LEAVE, {"roomId": ROOM, "removeeIdList": people})
    assert account.directory.rooms[ROOM].member_ids == {ME, *members}
    assert ((LATE, ROOM) in account.updates._stale) is stale
    assert (ROOM in account.directory.absences._unnamed) is hinted


async def test_leave_of_an_unknown_group_reads_nothing(account: ScriptedAccount) -> None:
    """The account may have left it itself."""
    await receive(account, pb.EVENT_ROOM_LEAVE, {"roomId": ROOM, "removeeIdList": ["bb"]})
    assert account.updates._stale == {}


async def test_late_leave_has_the_group_read_again(account: ScriptedAccount) -> None:
    account.joins("bb")
    account.directory.add_members(ROOM, ["bb"], datetime.now(UTC) + timedelta(hours=1))
    await receive(account, pb.EVENT_ROOM_LEAVE, {"roomId": ROOM, "removeeIdList": ["bb"]})
    assert list(account.updates._stale) == [(LATE, ROOM)]
    assert "bb" in account.directory.rooms[ROOM].member_ids


async def test_topic_is_changed_and_an_invitation_changes_nothing(account: ScriptedAccount) -> None:
    account.joins(SONG)
    await receive(account, pb.EVENT_ROOM_TOPIC, {"roomId": ROOM, "newTopic": "新"})
    await receive(account, pb.EVENT_ROOM_INVITE, {"roomInvitationId": "i1"})
    await receive(account, pb.EVENT_FRIENDSHIP, {"friendshipId": "f1"})
    assert account.directory.rooms[ROOM].topic == "新"
    assert [raw.kind for raw in queued(account)] == ["room-topic", "room-invite", "friendship"]
    assert account.updates._stale == {}


# ---- outdated entries ----


async def test_ready_has_the_lists_read_again(account: ScriptedAccount) -> None:
    await receive(account, pb.EVENT_READY, {"data": "ready"})
    assert list(account.updates._stale) == [STALE_LISTS]


@pytest.mark.parametrize(
    ("type", "id", "stale"),
    [
        (pb.DIRTY_CONTACT, SONG, ("contact", SONG)),
        (pb.DIRTY_CONTACT, "unknown", None),
        (pb.DIRTY_CONTACT, ROOM, None),
        (pb.DIRTY_ROOM, ROOM, ("room", ROOM)),
        (pb.DIRTY_ROOM_MEMBER, ROOM, ("room", ROOM)),
        (pb.DIRTY_ROOM, "9@chatroom", None),
        (pb.DIRTY_MESSAGE, SONG, None),
    ],
)
async def test_known_entries_that_are_outdated_are_read_again(
    account: ScriptedAccount, type: int, id: str, stale: tuple[str, str] | None
) -> None:
    account.knows(Contact(SONG, "宋江"))
    account.joins(SONG)
    account.assistant._resolver._room_names[ROOM] = "管家"
    await receive(account, pb.EVENT_DIRTY, {"payloadType": type, "payloadId": id})
    assert list(account.updates._stale) == ([stale] if stale else [])
    assert (ROOM in account.assistant._resolver._room_names) is (stale != ("room", ROOM))


# ---- codes and errors ----


async def test_login_code_is_reported_once(account: ScriptedAccount) -> None:
    await receive(account, pb.EVENT_SCAN, {"qrcode": "code1", "status": 2})
    await receive(account, pb.EVENT_SCAN, {"qrcode": "code1", "status": 3})
    await receive(account, pb.EVENT_SCAN, {"status": 3})
    await receive(account, pb.EVENT_SCAN, {"qrcode": "code2", "status": 2})
    assert account.listener.codes == ["code1", "code2"]
    assert account.assistant.qr_code == "code2"


@pytest.mark.parametrize(
    ("status", "state"),
    [(0, ScanState.WAITING), (1, ScanState.EXPIRED), (2, ScanState.WAITING), (3, ScanState.SCANNED),
     (4, ScanState.SCANNED), (5, ScanState.EXPIRED), (6, ScanState.WAITING), (None, ScanState.WAITING)],
)  # fmt: skip
async def test_progress_of_a_login_is_reported(account: ScriptedAccount, status: int | None, state: ScanState) -> None:
    await receive(account, pb.EVENT_SCAN, {} if status is None else {"status": status})
    assert account.assistant.scan_state is state
    assert account.listener.states == [(State.CONNECTING, "")]


async def test_error_of_the_gateway_is_logged_in_detail_only_when_debugging(
    account: ScriptedAccount, caplog: pytest.LogCaptureFixture
) -> None:
    await receive(account, pb.EVENT_ERROR, {"gerror": "密码"})
    assert [record.getMessage() for record in caplog.records] == ["a: the gateway reports an error"]
    caplog.set_level(logging.DEBUG, "wechat")
    await receive(account, pb.EVENT_ERROR, {"gerror": "details" + "x" * 999})
    assert "details" in caplog.text
    assert "x" * 300 not in caplog.text


# ---- the connection ----


async def test_account_that_is_not_logged_in_at_the_start_is_logged_out(account: ScriptedAccount) -> None:
    await account.events.started()
    assert account.listener.states == [], "the login event came in time"
    account.puppet.login_user_id = None
    await account.events.started()
    assert account.assistant.reason == Reason(Problem.NOT_LOGGED_IN)
    assert account.assistant.state is State.LOGGED_OUT


async def test_closed_connection_leaves_nothing_of_the_session(account: ScriptedAccount) -> None:
    await receive(account, pb.EVENT_SCAN, {"qrcode": "code1", "status": 3})
    await receive(account, pb.EVENT_READY)
    account.state(State.ONLINE)
    await account.events.closed(State.CONNECTING, Reason(Problem.NO_ANSWER))
    assert (account.assistant.qr_code, account.assistant.scan_state) == ("", ScanState.NONE)
    assert account.puppet.wire is None
    assert account.updates._stale == {}
    assert account.listener.states[-1] == (State.CONNECTING, "the gateway does not respond")
    account.events.opened(account.wire)  # type: ignore[arg-type]
    await receive(account, pb.EVENT_SCAN, {"qrcode": "code1"})
    assert account.listener.codes == ["code1", "code1"], "the next session shows its code, even if it is the same"
