"""What the supervised connection decides after a failed session: the state, the reason, and the pause."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from config.settings import AssistantSettings
from errors import WeChatError
from protocol.relaying import TAKEN_OVER
from wechat import connection
from wechat.authority import AuthorityFailed
from wechat.connection import Connection, ConnectionLost, Timing
from wechat.interface import State
from wechat.problems import Problem, Reason
from wechat.wire import Wire

ENDPOINT = "127.0.0.1:8788"


class Owner:
    """Ignores the connection's events."""

    def opened(self, wire: Wire) -> None:
        pass

    async def received(self, number: int, payload: str, relay_number: int) -> None:
        pass

    async def started(self) -> None:
        pass

    async def closed(self, state: State, reason: Reason) -> None:
        pass


class Tls:
    """Ends every session with an error, or without one."""

    is_new = False

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.may_be_plain: bool | None = None

    async def run(self, session: Callable[[bool], Awaitable[None]], *, may_be_plain: bool) -> None:
        self.may_be_plain = may_be_plain
        if self.error is not None:
            raise self.error


def make(endpoint: str = ENDPOINT, authority: str = "") -> Connection:
    settings = AssistantSettings(account="a", endpoint=endpoint, authority=authority, token="t")
    return Connection(settings, Timing(), Owner(), set())


async def ended(error: Exception | None) -> tuple[State, Reason]:
    made = make()
    made._tls = Tls(error)  # type: ignore[assignment]
    return await made._attempt()


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (None, State.CONNECTING, Reason(Problem.STREAM_ENDED)),
        (GRPCError(Status.UNAUTHENTICATED, "token t"), State.REFUSED, Reason(Problem.TOKEN_REFUSED)),
        (GRPCError(Status.ALREADY_EXISTS), State.CONNECTING, Reason(Problem.HELD)),
        (GRPCError(Status.CANCELLED, f"{TAKEN_OVER} by x"), State.CONNECTING, Reason(Problem.HELD)),
        (GRPCError(Status.CANCELLED), State.CONNECTING, Reason(Problem.STREAM_FAILED, "CANCELLED")),
        (ConnectionLost(Reason(Problem.NO_ANSWER)), State.CONNECTING, Reason(Problem.NO_ANSWER)),
        (ConnectionLost(Reason(Problem.TOKEN_REFUSED)), State.REFUSED, Reason(Problem.TOKEN_REFUSED)),
        (AuthorityFailed(Reason(Problem.TOKEN_UNKNOWN)), State.CONNECTING, Reason(Problem.TOKEN_UNKNOWN)),
        (ssl.SSLError(1, "broken"), State.CONNECTING, Reason(Problem.TLS, "SSLError")),
        (WeChatError("odd"), State.CONNECTING, Reason(Problem.UNFORESEEN, str(WeChatError("odd")))),
        (TimeoutError(), State.CONNECTING, Reason(Problem.UNREACHABLE, f"{ENDPOINT} (timeout)")),
        (ZeroDivisionError("secret"), State.CONNECTING, Reason(Problem.UNFORESEEN, "ZeroDivisionError")),
    ],
)
async def test_end_of_session_gives_state_and_reason(error: Exception | None, state: State, reason: Reason) -> None:
    assert await ended(error) == (state, reason)


@pytest.fixture
def _no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocol.supervision.random.uniform", lambda low, high: high)


@pytest.mark.usefixtures("_no_jitter")
async def test_pause_doubles_up_to_its_limit() -> None:
    made = make()
    made._tls = Tls(TimeoutError())  # type: ignore[assignment]
    pauses = [made._pause(*await made._attempt()) for _ in range(8)]
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]


@pytest.mark.usefixtures("_no_jitter")
async def test_refused_token_waits_longer_and_counts_on_its_own() -> None:
    made = make()
    made._tls = Tls(TimeoutError())  # type: ignore[assignment]
    for _ in range(3):
        await made._attempt()
    made._tls = Tls(GRPCError(Status.UNAUTHENTICATED))  # type: ignore[assignment]
    pauses = [made._pause(*await made._attempt()) for _ in range(5)]
    assert pauses == [60, 120, 240, 480, 600]


@pytest.mark.usefixtures("_no_jitter")
async def test_held_stream_is_tried_again_within_two_seconds() -> None:
    made = make()
    made._tls = Tls(GRPCError(Status.ALREADY_EXISTS))  # type: ignore[assignment]
    pauses = [made._pause(*await made._attempt()) for _ in range(5)]
    assert pauses == [0.5, 1, 2, 2, 2]


async def test_endpoint_comes_from_the_authority_only_without_an_own_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    async def resolve(authority: str, token: str) -> str:
        asked.append((authority, token))
        return "10.0.0.9:9"

    monkeypatch.setattr(connection, "resolve", resolve)
    assert (await make()._located()).endpoint == ENDPOINT
    assert (await make(endpoint="")._located()).endpoint == ""
    assert asked == []
    located = make(endpoint="", authority="https://a.example")
    assert (await located._located()).endpoint == "10.0.0.9:9"
    assert asked == [("https://a.example", "t")]
    assert located._endpoint == "10.0.0.9:9"
