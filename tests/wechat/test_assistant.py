"""An account: what its listener is told, and how its events are stored."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from errors import WeChatUnsupported
from tests.waiting import SECONDS, until
from tests.wechat.scripted_wire import ME, NOW, ROOM, SONG, ScriptedAccount
from wechat import assistant as module
from wechat.events import RawEvent
from wechat.interface import Capability, ScanState, State
from wechat.problems import Problem, Reason


def raw(id: str) -> RawEvent:
    return RawEvent("a", id, "message", {"messageId": id}, NOW)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits of the account are recorded and end at once."""
    waits: list[float] = []
    sleep = asyncio.sleep

    async def recorded(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr("wechat.assistant.asyncio.sleep", recorded)
    return waits


# ---- states ----


async def test_state_is_reported_when_it_or_its_reason_changes(account: ScriptedAccount) -> None:
    assistant = account.assistant
    assert (assistant.state, assistant.reason) == (State.CONNECTING, None)
    lost, held = Reason(Problem.NO_ANSWER), Reason(Problem.HELD)
    for state, reason in (
        (State.CONNECTING, None),
        (State.CONNECTING, lost),
        (State.CONNECTING, lost),
        (State.CONNECTING, held),
        (State.ONLINE, None),
    ):
        await assistant.set_state(state, reason)
    assert account.listener.states == [
        (State.CONNECTING, str(lost)),
        (State.CONNECTING, str(held)),
        (State.ONLINE, ""),
    ]
    assert (assistant.state, assistant.reason) == (State.ONLINE, None)


async def test_state_is_not_set_by_the_sdk(account: ScriptedAccount) -> None:
    assistant: Any = account.assistant
    assistant.state = "nonsense"
    assert assistant.state is State.CONNECTING


@pytest.mark.parametrize(
    ("state", "level"),
    [
        (State.REFUSED, logging.WARNING),
        (State.LOGGED_OUT, logging.WARNING),
        (State.SYNCING, logging.INFO),
        (State.ONLINE, logging.INFO),
    ],
)
async def test_states_that_need_an_operator_are_logged_as_warnings(
    account: ScriptedAccount, caplog: pytest.LogCaptureFixture, state: State, level: int
) -> None:
    caplog.set_level(logging.INFO, "wechat")
    await account.assistant.set_state(state)
    await account.assistant.set_state(state, Reason(Problem.STOPPED))
    texts = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert texts == [(level, f"a: {state.value}"), (level, f"a: {state.value} (stopped)")]


async def test_failing_listener_does_not_keep_a_state_from_changing(
    account: ScriptedAccount, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise OSError("disk full")

    listener: Any = account.listener
    listener.state_changed = fail
    await account.assistant.set_state(State.ONLINE)
    assert account.assistant.state is State.ONLINE
    assert "the listener failed on a state change" in caplog.text


async def test_login_code_and_progress_are_reported(account: ScriptedAccount) -> None:
    assert account.assistant.qr_code == ""
    await account.assistant.show_code("code1")
    assert account.assistant.qr_code == "code1"
    await account.assistant.show_code("")
    assert account.listener.codes == ["code1"]
    shown: str = account.assistant.qr_code
    assert shown == ""
    await account.assistant.set_scan_state(ScanState.NONE)
    assert account.listener.states == []
    await account.assistant.set_scan_state(ScanState.SCANNED)
    assert account.listener.states == [(State.CONNECTING, "")]
    assert account.assistant.scan_state is ScanState.SCANNED


async def test_identity_and_clock(account: ScriptedAccount) -> None:
    assistant: Any = account.assistant
    assert assistant.self_id == ME
    before: float | None = assistant.gateway_time
    assert before is None
    assistant._gateway_clock.read({"date": "Sat, 01 Jan 2028 00:00:00 GMT"})
    time = assistant.gateway_time
    assert time is not None
    assert 0 <= time - 1830297600 < SECONDS


async def test_position_is_passed_to_the_relay(account: ScriptedAccount) -> None:
    account.assistant.begin(7, "ab12:4")
    account.assistant.relay.opened("ab12")
    assert account.assistant.relay.base_metadata() == {"relay-epoch": "7"}
    account.assistant.acknowledge("ab12:5")
    assert account.assistant.relay.position_metadata(resuming=True)["relay-resume"] == "ab12:5"


# ---- reports ----


async def test_report_is_repeated_until_the_listener_accepts_it(account: ScriptedAccount, waits: list[float]) -> None:
    failures = iter([OSError("disk full")] * 2)

    def fail() -> None:
        if error := next(failures, None):
            raise error

    account.listener.on_synced = fail
    since = datetime.now(UTC)
    assert await account.assistant.report_synced(since, {SONG})
    assert account.listener.syncs == [(since, {SONG})]
    assert waits == [0.1, 0.2]


async def test_report_is_given_up_after_six_attempts(account: ScriptedAccount, waits: list[float]) -> None:
    def fail() -> None:
        raise OSError("disk full")

    account.listener.on_synced = fail
    assert not await account.assistant.report_synced(None, {SONG})
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]


# ---- storing events ----


async def test_events_are_stored_in_order(account: ScriptedAccount) -> None:
    storing = asyncio.create_task(account.assistant._store())
    for id in ("m1", "m2", "m3"):
        await account.assistant.take(raw(id))
    await asyncio.wait_for(account.assistant._queue.join(), SECONDS)
    assert [raw.id for raw in account.listener.raws] == ["m1", "m2", "m3"]
    storing.cancel()


async def test_event_is_stored_at_the_last_attempt_or_lost(
    account: ScriptedAccount, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    failures = iter([OSError("disk full")] * 5)

    async def fail(_raw: RawEvent) -> None:
        if error := next(failures, None):
            raise error

    account.listener.on_taken = fail
    await account.assistant._store_with_retries(raw("m1"))
    assert [raw.id for raw in account.listener.raws] == ["m1"]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6]
    failures = iter([OSError("disk full")] * 6)
    await account.assistant._store_with_retries(raw("m2"))
    assert [raw.id for raw in account.listener.raws] == ["m1"]
    assert "a message event is lost" in caplog.text


async def test_reading_pauses_while_a_thousand_events_wait(account: ScriptedAccount) -> None:
    for number in range(1000):
        account.assistant._queue.put_nowait(raw(str(number)))
    taking = asyncio.create_task(account.assistant.take(raw("one more")))
    await asyncio.sleep(0)
    assert not taking.done()
    account.assistant._queue.get_nowait()
    await asyncio.wait_for(taking, SECONDS)
    while not account.assistant._queue.empty():
        account.assistant._queue.get_nowait()


async def test_stop_stores_what_was_read(account: ScriptedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    disconnected = asyncio.Event()

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            disconnected.set()

    async def store_event(_raw: RawEvent) -> None:
        await disconnected.wait()  # nothing new is read while the rest is stored

    account.listener.on_taken = store_event
    monkeypatch.setattr(account.assistant._connection, "run", run)
    await account.assistant.start()
    await until(lambda: len(account.assistant._tasks) == 4)
    await asyncio.sleep(0)
    for id in ("m1", "m2"):
        await account.assistant.take(raw(id))
    tasks = list(account.assistant._tasks)
    await account.assistant.stop()
    assert [raw.id for raw in account.listener.raws] == ["m1", "m2"]
    assert all(task.done() for task in tasks)
    assert account.assistant._tasks == []
    assert account.listener.states == [(State.CONNECTING, "stopped")]
    assert account.puppet.wire is None
    await account.assistant.stop()


async def test_stop_gives_up_storing_after_a_while(
    account: ScriptedAccount, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert module.DRAIN_SECONDS == 5.0
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.01)

    async def forever(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(account.assistant._connection, "run", forever)
    account.listener.on_taken = forever
    await account.assistant.start()
    for id in ("m1", "m2", "m3"):
        await account.assistant.take(raw(id))
    await asyncio.wait_for(account.assistant.stop(), SECONDS)
    assert "could not store 2 events before stopping" in caplog.text


# ---- what a puppet cannot do ----


async def test_calls_of_other_channels_are_not_supported(account: ScriptedAccount) -> None:
    assistant: Any = account.assistant
    for call in (
        assistant.create_join_code(ROOM, "state", opens_next=True),
        assistant.join_code_picture(ROOM),
        assistant.hand_over(SONG),
        assistant.end_session(SONG),
    ):
        with pytest.raises(WeChatUnsupported):
            await call
    assert await assistant.messages_left(SONG, "k") is None
    assert Capability.CREATE_ROOM in assistant.capabilities
    assert Capability.JOIN_BY_CODE not in assistant.capabilities
