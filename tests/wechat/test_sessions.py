"""A session with a gateway: its order of steps, and how it ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from errors import WeChatRefused, WeChatUnknown
from protocol import puppet_pb2 as pb
from protocol.relaying import JOURNAL
from tests.waiting import SECONDS, until
from tests.wechat.recording_listener import settings
from tests.wechat.scripted_gateway import Gateway, gateway
from wechat.connection import Connection, ConnectionLost, Timing
from wechat.interface import State
from wechat.problems import Problem, Reason

__all__ = ["gateway"]

TIMING = replace(Timing(), watch_every=0.0)
DATE = "Sat, 01 Jan 2028 00:00:00 GMT"


def connection(gateway: Gateway, tls: Any = False, timing: Timing = TIMING, seen: set[str] | None = None) -> Connection:
    return Connection(settings("h:1", "t", tls=tls), timing, gateway, set() if seen is None else seen)


async def attempt(made: Connection) -> tuple[State, Reason]:
    return await asyncio.wait_for(made._attempt(), SECONDS)


async def test_account_is_started_when_the_stream_is_open(gateway: Gateway) -> None:
    gateway.alive_answers = [True, True, False]
    assert await attempt(connection(gateway)) == (State.CONNECTING, Reason(Problem.NO_ANSWER))
    assert gateway.steps == [
        "connect",
        "ask",
        "opened",
        f"received {pb.EVENT_HEARTBEAT} {{}} 3",
        "Start",
        "started",
        "alive",
        "alive",
        "alive",
        "close",
    ]
    assert gateway.limits == [TIMING.connect, TIMING.start, *[TIMING.watch_limit] * 3]


async def test_orderly_end_of_the_stream_ends_the_session(gateway: Gateway) -> None:
    gateway.more.set()
    gateway.events *= 3
    assert await attempt(connection(gateway)) == (State.CONNECTING, Reason(Problem.STREAM_ENDED))
    assert gateway.steps.count("opened") == 1
    assert gateway.steps[-2:] == ["trailing", "close"]


async def test_error_after_the_last_event_is_the_reason(gateway: Gateway) -> None:
    gateway.more.set()
    gateway.trailing_error = GRPCError(Status.ALREADY_EXISTS)
    assert await attempt(connection(gateway)) == (State.CONNECTING, Reason(Problem.HELD))


async def test_failed_stream_ends_the_session_and_the_watch(gateway: Gateway) -> None:
    gateway.events.append(GRPCError(Status.INTERNAL))
    tasks = asyncio.all_tasks()
    assert await attempt(connection(gateway)) == (State.CONNECTING, Reason(Problem.STREAM_FAILED, "INTERNAL"))
    assert asyncio.all_tasks() == tasks


async def test_account_that_cannot_be_started_is_retried(gateway: Gateway) -> None:
    gateway.start_error = WeChatRefused("Start", "no licence")
    made = connection(gateway)
    assert await attempt(made) == (State.CONNECTING, Reason(Problem.CANNOT_START, "no licence"))
    await attempt(made)
    assert made._failures == 2, "a stream alone is no success"
    gateway.start_error = WeChatUnknown("Start", "timeout")
    state, reason = await attempt(made)
    assert (state, reason.problem) == (State.CONNECTING, Problem.UNFORESEEN)
    assert "started" not in gateway.steps


async def test_missing_first_event_is_tolerated(gateway: Gateway) -> None:
    gateway.events.clear()
    gateway.alive_answers = [False]
    made = connection(gateway, timing=replace(TIMING, first_event=0.001))
    assert await attempt(made) == (State.CONNECTING, Reason(Problem.NO_ANSWER))
    assert gateway.steps == ["connect", "ask", "opened", "Start", "started", "alive", "close"]


async def test_watch_waits_between_two_checks(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def recorded(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    made = connection(gateway, timing=replace(TIMING, watch_every=4.0))
    gateway.alive_answers = [True, False]
    gateway.events.clear()
    wire: Any = SimpleNamespace(call=gateway.call, is_alive=gateway.is_alive, gateway=gateway)
    first = asyncio.Event()
    first.set()
    monkeypatch.setattr("wechat.connection.asyncio.sleep", recorded)
    with pytest.raises(ConnectionLost):
        await made._monitor(wire, first)
    assert waits == [4.0, 4.0]


async def test_metadata_of_the_stream_is_read_once(gateway: Gateway) -> None:
    gateway.metadata = {JOURNAL: "ab12", "date": DATE}
    gateway.events *= 2
    gateway.more.set()
    made = connection(gateway)
    await attempt(made)
    assert made._relay.position_of(5) == "ab12:5"
    assert made._gateway_clock.now is not None
    gateway.metadata = {}
    await attempt(made)
    assert made._relay.position_of(5) == "", "this gateway is no relay"


# ---- counting failures ----


async def test_working_session_resets_the_failures(gateway: Gateway) -> None:
    made = connection(gateway)
    made._failures, made._refusals = 5, 4
    running = asyncio.create_task(attempt(made))
    await until(gateway.started_now.is_set)
    assert (made._failures, made._refusals) == (0, 0)
    gateway.more.set()
    await running


async def test_connection_runs_until_cancelled(gateway: Gateway) -> None:
    gateway.connect_error = GRPCError(Status.UNAUTHENTICATED)
    running = asyncio.create_task(connection(gateway).run())
    await until(lambda: "closed refused token_refused" in gateway.steps)
    assert gateway.steps == ["connect", "close", "closed refused token_refused"]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


# ---- TLS ----


async def test_gateway_that_used_tls_is_remembered(gateway: Gateway) -> None:
    seen: set[str] = set()
    gateway.more.set()
    made = connection(gateway, tls="auto", seen=seen)
    assert made._tls.is_new
    await attempt(made)
    assert seen == {"h:1"}
    assert not made._tls.is_new


async def test_plain_gateway_is_not_remembered(gateway: Gateway) -> None:
    seen: set[str] = set()
    gateway.more.set()
    await attempt(connection(gateway, tls=False, seen=seen))
    assert seen == set()


@pytest.mark.parametrize(("secure", "failures", "forgotten"), [(False, 1, True), (True, 1, False), (False, 0, False)])
async def test_plain_session_that_never_worked_has_tls_detected_again(
    gateway: Gateway, secure: bool, failures: int, forgotten: bool
) -> None:
    made = connection(gateway, tls="auto")
    made._tls.session_opened(secure)
    made._failures = failures
    gateway.connect_error = StreamTerminatedError("gone")
    with pytest.raises(StreamTerminatedError):
        await made._session(settings("h:1", "t"), secure=secure)
    assert made._tls.is_new is forgotten
    assert gateway.steps == ["connect", "close"]


def test_default_timing_is_as_documented() -> None:
    """They are part of what operators observe: docs name them."""
    timing = Timing()
    assert (timing.watch_every + timing.watch_limit) < 10, "a frozen gateway is noticed within ten seconds"
    assert timing.backoff_first < timing.backoff_most
    assert timing.held_most <= 2
    assert (timing.refused_first, timing.refused_max) == (60, 600)
