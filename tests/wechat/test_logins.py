"""Logins: what is read before and after the account is online, losses, and repeated readings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from errors import WeChatOffline, WeChatRefused
from protocol import CALLS
from protocol import puppet_pb2 as pb
from tests.waiting import SECONDS, until
from tests.wechat.scripted_wire import ME, ROOM, SONG, ScriptedAccount, contacts, lists, room
from wechat import directory_updates
from wechat.entities import Contact
from wechat.interface import ScanState, State
from wechat.problems import Problem, Reason

REFUSED, OFFLINE = WeChatRefused("x", "no"), WeChatOffline("x", "gone")


async def log_in(account: ScriptedAccount, id: str = ME) -> None:
    await account.events.received(pb.EVENT_LOGIN, json.dumps({"contactId": id}))


async def log_out(account: ScriptedAccount) -> None:
    await account.events.received(pb.EVENT_LOGOUT, "no JSON")


async def ready(account: ScriptedAccount) -> None:
    """Wait until everything was read after the login."""
    task = account.updates._first_read
    assert task is not None
    await asyncio.wait_for(task, SECONDS)


@pytest.fixture
def friend(account: ScriptedAccount) -> ScriptedAccount:
    """An account with one friend and one group, before its login."""
    account.puppet.login_user_id = None
    account.knows(Contact(SONG, "宋江", friend=True))
    account.joins(SONG)
    lists(account, [SONG, ME], [ROOM])
    account.answers["ContactPayload"] = contacts(Contact(SONG, "宋江", friend=True), Contact(ME, "小秘"))
    account.answers["RoomPayload"] = room(ME, SONG)
    return account


# ---- logins ----


async def test_login_reads_new_entries_then_is_online_then_reads_the_others(friend: ScriptedAccount) -> None:
    online_after: list[int] = []

    async def state_changed(_account: str, state: State, _reason: str) -> None:
        friend.listener.states.append((state, ""))
        if state is State.ONLINE:
            online_after.append(len(friend.wire.asked))

    listener: Any = friend.listener
    listener.state_changed = state_changed
    await log_in(friend)
    await ready(friend)
    assert [state for state, _ in friend.listener.states] == [State.SYNCING, State.ONLINE]
    assert friend.wire.names[: online_after[0]] == ["ContactList", "RoomList"]
    assert set(friend.wire.names[online_after[0] :]) == {"DirtyPayload", "RoomPayload", "ContactPayload"}
    assert friend.listener.syncs == [(None, set()), (None, set())]
    assert friend.updates._online.is_set()


async def test_first_login_reads_everything_once(account: ScriptedAccount) -> None:
    account.directory.clear()
    lists(account, [SONG])
    account.answers["ContactPayload"] = contacts(Contact(SONG, "宋江", friend=True))
    await log_in(account)
    await ready(account)
    assert account.listener.syncs == [(None, set())]
    assert account.directory.owner_id == account.assistant.contact_id == account.assistant.self_id == ME


async def test_login_that_is_reported_twice_is_one(friend: ScriptedAccount) -> None:
    await log_in(friend)
    task = friend.updates._first_read
    await log_in(friend)
    assert friend.updates._first_read is task
    await ready(friend)
    await log_in(friend)
    assert friend.updates._first_read is task


async def test_login_ends_the_display_of_its_code(friend: ScriptedAccount) -> None:
    await friend.events.received(pb.EVENT_SCAN, json.dumps({"qrcode": "code1", "status": 3}))
    await log_in(friend)
    assert (friend.assistant.qr_code, friend.assistant.scan_state) == ("", ScanState.NONE)
    await friend.events.received(pb.EVENT_SCAN, json.dumps({"qrcode": "code1"}))
    assert friend.listener.codes == ["code1", "code1"]


async def test_login_of_another_person_forgets_the_directory(friend: ScriptedAccount) -> None:
    friend.assistant._sync.unreported.add(SONG)
    friend.updates._lost_at = datetime.now(UTC)
    lists(friend, [])
    await log_in(friend, "wxid_else")
    assert friend.directory.rooms == {}
    assert friend.directory.owner_id == friend.puppet.login_user_id == "wxid_else"
    await ready(friend)
    assert friend.listener.syncs == [(None, set())], "nothing was missed by this person"


async def test_login_of_the_same_person_keeps_the_directory(friend: ScriptedAccount) -> None:
    friend.assistant._sync.unreported.add(SONG)
    await log_in(friend)
    assert ROOM in friend.directory.rooms
    await ready(friend)
    assert friend.listener.syncs[0] == (None, {SONG}), "what was found before is reported"
    assert friend.assistant._sync.unreported == set()


async def test_invalid_login_is_ignored(friend: ScriptedAccount) -> None:
    await friend.events.received(pb.EVENT_LOGIN, '{"contactId": ""}')
    assert friend.updates._first_read is None


# ---- losses ----


async def test_logout_ends_the_session(friend: ScriptedAccount) -> None:
    await log_in(friend)
    await ready(friend)
    await log_out(friend)
    assert friend.assistant.state is State.LOGGED_OUT
    assert friend.assistant.reason == Reason(Problem.LOGGED_OUT)
    assert friend.puppet.login_user_id is None
    assert not friend.updates._online.is_set()
    assert friend.updates._first_read is None


async def test_next_login_reports_since_when_events_may_be_missing(friend: ScriptedAccount) -> None:
    await log_in(friend)
    await ready(friend)
    before = datetime.now(UTC)
    await log_out(friend)
    lost_at = friend.updates._lost_at
    assert lost_at is not None
    assert before <= lost_at <= datetime.now(UTC)
    await friend.events.closed(State.CONNECTING, Reason(Problem.STREAM_ENDED))
    friend.events.opened(friend.wire)  # type: ignore[arg-type]
    friend.listener.syncs.clear()
    await log_in(friend)
    await ready(friend)
    assert [since for since, _ in friend.listener.syncs] == [lost_at, lost_at]
    assert friend.updates._lost_at is None


async def test_loss_during_the_reading_counts_from_the_first_loss(friend: ScriptedAccount) -> None:
    first = datetime.now(UTC) - timedelta(hours=1)
    friend.updates._lost_at = first
    friend.answers["ContactList"] = lambda _request: asyncio.Event().wait()
    await log_in(friend)
    task = friend.updates._first_read
    await until(lambda: friend.assistant.state is State.SYNCING)
    await log_out(friend)
    assert friend.updates._lost_at == first
    assert task is not None
    await asyncio.wait([task], timeout=SECONDS)
    assert task.cancelled()


async def test_account_that_was_never_online_has_missed_nothing(friend: ScriptedAccount) -> None:
    await log_out(friend)
    assert friend.updates._lost_at is None


async def test_connection_lost_while_reading_ends_it_quietly(friend: ScriptedAccount) -> None:
    friend.answers["ContactList"] = OFFLINE
    await log_in(friend)
    await ready(friend)
    assert friend.assistant.state is State.SYNCING
    assert friend.listener.syncs == []


# ---- failed readings ----


def no_waits(monkeypatch: pytest.MonkeyPatch, do: Callable[[], None] = lambda: None) -> list[float]:
    """Replace waits of the module by their record."""
    waits: list[float] = []
    sleep = asyncio.sleep

    async def recorded(seconds: float) -> None:
        if seconds:  # not those of the retries of a read
            waits.append(seconds)
            do()
        await sleep(0)

    monkeypatch.setattr("wechat.directory_updates.asyncio.sleep", recorded)
    return waits


async def test_failed_lists_are_read_again_with_growing_waits(
    friend: ScriptedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = no_waits(monkeypatch)
    friend.answers["ContactList"] = [*[REFUSED] * 9, CALLS["ContactList"].response(ids=[SONG, ME])]
    friend.directory.clear()
    await log_in(friend)
    await ready(friend)
    assert waits == [0.5, 0.4, 0.4], "up to the longest wait between connections"
    assert friend.assistant.state is State.ONLINE


async def test_unread_entries_are_read_again_while_online(
    friend: ScriptedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = no_waits(monkeypatch)
    friend.directory.clear()
    lists(friend, [SONG, ME], [ROOM])
    friend.answers["RoomPayload"] = [*[REFUSED] * 12, room(ME, SONG)]
    await log_in(friend)
    await ready(friend)
    assert waits == [5.0, 10.0, 20.0, 40.0]
    assert friend.listener.syncs[-1] == (None, {ROOM})
    assert directory_updates.MAX_REREAD_PAUSE == 600.0


async def test_waits_for_unread_entries_have_a_limit(friend: ScriptedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_updates, "MAX_REREAD_PAUSE", 12.0)
    waits = no_waits(monkeypatch)
    friend.directory.clear()
    lists(friend, [ME], [ROOM])
    listed = CALLS["ContactList"].response(ids=[ME])
    friend.answers["ContactList"] = [listed, REFUSED, REFUSED, REFUSED, listed, listed]
    friend.answers["RoomPayload"] = [*[REFUSED] * 6, room(ME, SONG)]
    await log_in(friend)
    await ready(friend)
    assert waits == [5.0, 10.0, 12.0], "a failed list is one of the attempts"


async def test_loss_ends_the_readings_of_unread_entries(
    friend: ScriptedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_waits(monkeypatch, lambda: friend.answers.update(ContactList=OFFLINE))
    friend.directory.clear()
    friend.answers["RoomPayload"] = REFUSED
    await log_in(friend)
    await ready(friend)
    assert friend.listener.syncs == [(None, set())]


async def test_report_that_failed_is_repeated_later(friend: ScriptedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    later: list[tuple[float, tuple[Any, ...]]] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_later", lambda wait, _call, *args: later.append((wait, args)))

    async def refused(*_: object) -> bool:
        return False

    monkeypatch.setattr(friend.assistant, "report_synced", refused)
    friend.assistant._sync.unreported.add(SONG)
    await friend.updates._report()
    assert friend.assistant._sync.unreported == {SONG}
    assert later == [(60.0, ("news", ""))]


async def test_changes_found_during_a_report_stay_unreported(friend: ScriptedAccount) -> None:
    friend.listener.on_synced = lambda: friend.assistant._sync.unreported.add("later")
    friend.assistant._sync.unreported.add(SONG)
    await friend.updates._report()
    assert friend.assistant._sync.unreported == {"later"}
