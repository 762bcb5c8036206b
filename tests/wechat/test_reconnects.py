"""How long the bot waits before it connects again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from protocol.supervision import backoff
from tests.wechat.recording_listener import settings
from wechat.connection import Connection, ConnectionLost, Timing
from wechat.interface import State
from wechat.problems import Problem, Reason


@pytest.fixture
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The random part of every wait is as long as it can be."""
    monkeypatch.setattr("protocol.supervision.random.uniform", lambda _least, most: most)


@pytest.mark.usefixtures("longest")
def test_waits_double_up_to_the_maximum() -> None:
    waits = [backoff(times, 0.5, 30.0) for times in range(10)]
    assert waits == [0.5, 0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert backoff(1_000_000, 0.5, 30.0) == 30, "however long the gateway is away"


def test_waits_are_randomised() -> None:
    """Many bots must not reconnect to one gateway at the same moment."""
    waits = {backoff(3, 1.0, 100.0) for _ in range(200)}
    assert len(waits) > 100
    assert min(waits) >= 3.0
    assert max(waits) <= 4.0
    assert max(waits) - min(waits) > 0.5


class Gateway:
    """What each attempt to connect ends with."""

    def __init__(self, *ends: object) -> None:
        self.ends = list(ends)
        self.waits: list[float] = []
        self.states: list[State] = []

    # ---- the connection's owner ----

    def opened(self, wire: object) -> None: ...

    async def received(self, number: int, payload: str, relay_number: int) -> None: ...

    async def started(self) -> None: ...

    async def closed(self, state: State, reason: Reason) -> None:
        self.states.append(state)


WORKED = "worked"  # the session was opened and the account started before it was lost
REFUSED, LOST, HELD = Reason(Problem.TOKEN_REFUSED), Reason(Problem.NO_ANSWER), Reason(Problem.HELD)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, longest: None) -> Any:
    """Runs a connection until the gateway's ends are used up; the waits between them."""

    async def running(*ends: object) -> Gateway:
        gateway = Gateway(*ends)
        seen: Any = set()
        connection = Connection(settings("127.0.0.1:1", "t", tls=False), Timing(), gateway, seen)

        async def session(_settings: object, *, secure: bool) -> None:
            end = gateway.ends.pop(0)
            if end == WORKED:
                connection._session_opened(None, secure)  # type: ignore[arg-type]
                connection._failures = 0
                return
            raise end if isinstance(end, Exception) else ConnectionLost(end)  # type: ignore[arg-type]

        async def sleep(seconds: float) -> None:
            gateway.waits.append(seconds)
            if not gateway.ends:
                raise asyncio.CancelledError

        monkeypatch.setattr(connection, "_session", session)
        monkeypatch.setattr("wechat.connection.asyncio.sleep", sleep)
        with pytest.raises(asyncio.CancelledError):
            await connection.run()
        return gateway

    return running


async def test_unreachable_gateway_backs_off(run: Any) -> None:
    gateway = await run(*[OSError("Connection refused")] * 9)
    assert gateway.waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert set(gateway.states) == {State.CONNECTING}


async def test_stream_of_another_client_is_retried_every_two_seconds(run: Any) -> None:
    gateway = await run(*[HELD] * 5, LOST)
    assert gateway.waits == [0.5, 1, 2, 2, 2, 16]


async def test_working_session_resets_the_backoff(run: Any) -> None:
    gateway = await run(LOST, LOST, LOST, WORKED, LOST, LOST)
    assert gateway.waits == [0.5, 1, 2, 0.5, 0.5, 1]


async def test_refused_token_is_retried_every_minute_then_every_ten(run: Any) -> None:
    gateway = await run(*[REFUSED] * 6)
    assert gateway.waits == [60, 120, 240, 480, 600, 600]
    assert set(gateway.states) == {State.REFUSED}


async def test_refusals_and_losses_are_counted_separately(run: Any) -> None:
    gateway = await run(LOST, LOST, REFUSED, REFUSED, LOST)
    assert gateway.waits == [0.5, 1, 60, 120, 8]


async def test_working_session_resets_the_refusals(run: Any) -> None:
    gateway = await run(REFUSED, REFUSED, WORKED, REFUSED)
    assert gateway.waits == [60, 120, 0.5, 60]
