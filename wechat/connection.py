"""The supervised connection to a gateway: opened, monitored, and reopened as long as the account runs."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from grpclib.client import Stream
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from errors import WeChatError, WeChatRefused
from protocol import puppet_pb2 as pb
from protocol.relaying import JOURNAL, TAKEN_OVER
from protocol.supervision import TlsChoice, backoff, end
from protocol.tls import may_be_plain
from wechat.authority import AuthorityFailed, resolve
from wechat.gateway_clock import GatewayClock
from wechat.interface import State
from wechat.problems import Problem, Reason, loss_reason, tls_reason
from wechat.relay_progress import RelayProgress
from wechat.tls import address_of, certificate_name, make_channel
from wechat.wire import CONNECTION_ERRORS, Wire

if TYPE_CHECKING:
    from config.settings import AssistantSettings

log = logging.getLogger(__name__)
HELD: Final = str(Reason(Problem.HELD))


@dataclass(frozen=True, slots=True)
class Timing:
    """Timeouts and intervals in seconds. Tests shorten them."""

    connect: float = 10.0
    create: float = 20.0  # WeChat takes longer for creating a group than for other calls
    first_event: float = 5.0  # some gateways send no first heartbeat; the Node client waits as long
    start: float = 20.0
    login_grace: float = 1.0  # a gateway whose account is logged in sends the login event within this time
    watch_every: float = 4.0
    watch_limit: float = 3.0
    backoff_first: float = 0.5
    backoff_most: float = 30.0
    held_most: float = 2.0  # longest wait for another client's stream to end
    refused_first: float = 60.0
    refused_max: float = 600.0
    read_back: float = 2.0
    look: float = 3.0  # for a member that no event reported, while a caller waits
    confirm_interval: float = (
        6.0  # between readings of a member list that must agree before a member counts as having left
    )
    reread_pause: float = 0.1  # between two groups that are read again in the background


class ConnectionLost(Exception):
    """The session has ended for a reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


class TlsSeen(Protocol):
    """The endpoints (host:port) whose gateways have used TLS; stored across restarts."""

    def __contains__(self, endpoint: object, /) -> bool: ...

    def add(self, endpoint: str, /) -> None:
        """Record that the gateway at this endpoint uses TLS."""


class ConnectionListener(Protocol):
    """Receiver of the connection's events."""

    def opened(self, wire: Wire) -> None:
        """The connection is open and events may arrive."""

    async def received(self, number: int, payload: str, relay_number: int) -> None:
        """Handle an event of the protocol's type `number`. `relay_number` is the relay's event number, or 0. Must not
        raise.
        """

    async def started(self) -> None:
        """The gateway has started the account."""

    async def closed(self, state: State, reason: Reason) -> None:
        """The connection is closed."""


class Connection:
    """Keeps an account connected while `may_call` returns True."""

    def __init__(
        self,
        settings: AssistantSettings,
        timing: Timing,
        owner: ConnectionListener,
        tls_seen: TlsSeen,
        relay: RelayProgress | None = None,
        gateway_clock: GatewayClock | None = None,
        may_call: Callable[[], bool] = lambda: True,
    ) -> None:
        self._relay = relay or RelayProgress()
        self._gateway_clock = gateway_clock or GatewayClock()
        self._settings = settings
        self._timing = timing
        self._owner = owner
        self._tls_seen = tls_seen
        self._may_call = may_call
        self._wire: Wire | None = None  # of the running session
        self._endpoint = ""  # endpoint of the last session
        self._tls = TlsChoice(settings.tls)
        self._failures = 0  # failures in a row
        self._refusals = 0

    async def run(self) -> None:
        """Connect and reconnect until cancelled."""
        while True:
            state, reason = await self._attempt()
            await self._owner.closed(state, reason)
            await asyncio.sleep(self._pause(state, reason))

    def close(self) -> None:
        """End the running session now; its calls raise WeChatUnknown. `run` connects again once calls are allowed."""
        if self._wire is not None:
            self._wire.close()

    def _pause(self, state: State, reason: Reason) -> float:
        timing = self._timing
        if state is State.REFUSED:
            first, longest, times = timing.refused_first, timing.refused_max, self._refusals
        else:
            first, longest, times = timing.backoff_first, timing.backoff_most, self._failures
        if reason.problem is Problem.HELD:  # while it waits, no process serves the account
            longest = min(longest, timing.held_most)
        return backoff(times, first, longest)

    async def _attempt(self) -> tuple[State, Reason]:
        """Run one session; return the resulting state and the reason why it ended."""
        if not self._may_call():
            return State.CONNECTING, Reason(Problem.STOPPED)
        self._failures += 1
        settings = self._settings
        try:
            settings = await self._located()
            plain = self._may_be_plain(settings.endpoint)
            await self._tls.run(lambda secure: self._session(settings, secure=secure), may_be_plain=plain)
        except GRPCError as error:
            return self._classify(error)
        except (ConnectionLost, AuthorityFailed) as error:
            return self._refused_or_lost(error.reason)
        except ssl.SSLError as error:
            return State.CONNECTING, tls_reason(error, certificate_name(settings))
        except WeChatError as error:
            return State.CONNECTING, Reason(Problem.UNFORESEEN, str(error))
        except CONNECTION_ERRORS as error:
            return State.CONNECTING, loss_reason(error, settings.endpoint)
        except Exception as error:  # whatever the error, the account must reconnect
            log.exception("%s: the connection failed unexpectedly", self._settings.account)
            return State.CONNECTING, Reason(Problem.UNFORESEEN, type(error).__name__)
        return State.CONNECTING, Reason(Problem.STREAM_ENDED)

    async def _located(self) -> AssistantSettings:
        """Return the settings with the gateway's current endpoint; raise AuthorityFailed."""
        settings = self._settings
        if settings.endpoint or not settings.authority:
            return settings
        endpoint = await resolve(settings.authority, settings.token)
        if endpoint != self._endpoint:
            log.info("%s: the gateway is at %s", settings.account, endpoint)
            self._endpoint = endpoint
        return settings.model_copy(update={"endpoint": endpoint})

    def _refused_or_lost(self, reason: Reason) -> tuple[State, Reason]:
        if reason.problem is not Problem.TOKEN_REFUSED:
            return State.CONNECTING, reason
        self._refusals += 1
        return State.REFUSED, reason

    def _classify(self, error: GRPCError) -> tuple[State, Reason]:
        if error.status is Status.UNAUTHENTICATED:  # the error's message may contain the token
            return self._refused_or_lost(Reason(Problem.TOKEN_REFUSED))
        if error.status is Status.ALREADY_EXISTS or (error.message or "").startswith(TAKEN_OVER):
            # calling Stop would free the stream, but could end another client's session or log WeChat out
            return State.CONNECTING, Reason(Problem.HELD)
        return State.CONNECTING, Reason(Problem.STREAM_FAILED, error.status.name)

    def _may_be_plain(self, endpoint: str) -> bool:
        gateway = address_of(self._settings, endpoint)
        return may_be_plain(gateway, tls_seen=endpoint in self._tls_seen)

    async def _session(self, settings: AssistantSettings, *, secure: bool) -> None:
        self._endpoint = settings.endpoint
        wire = self._wire = Wire(
            make_channel(settings, secure=secure),
            settings.token,
            relay=self._relay,
            clock=self._gateway_clock,
            may_call=self._may_call,
        )
        try:
            await wire.connect(self._timing.connect)
            await self._serve(wire, secure)
        except CONNECTION_ERRORS:
            if not secure and self._failures:  # lost before it worked: the gateway may use TLS by now
                self._tls.forget()
            raise
        finally:
            wire.close()
            self._wire = None

    async def _serve(self, wire: Wire, secure: bool) -> None:
        """Read events and monitor the gateway until either ends."""
        async with wire.events() as stream:
            await stream.send_message(pb.Empty(), end=True)
            first = asyncio.Event()
            tasks = {
                asyncio.create_task(self._read(stream, first, wire, secure)),
                asyncio.create_task(self._monitor(wire, first)),
            }
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                await end(tasks)

    async def _read(self, stream: Stream[Any, Any], first: asyncio.Event, wire: Wire, secure: bool) -> None:
        async for event in stream:
            if not first.is_set():
                metadata: Any = stream.initial_metadata or {}
                self._gateway_clock.read(metadata)
                self._relay.opened(str(metadata.get(JOURNAL, "")))
                self._session_opened(wire, secure)
                first.set()
            await self._owner.received(event.type, event.payload, event.relay_number)
        await stream.recv_trailing_metadata()

    def _session_opened(self, wire: Wire, secure: bool) -> None:
        if secure:
            self._tls_seen.add(self._endpoint)
        if self._tls.is_new:
            log.info("%s: the gateway uses %s", self._settings.account, "TLS" if secure else "plaintext")
        self._tls.session_opened(secure)
        self._refusals = 0
        self._owner.opened(wire)

    async def _monitor(self, wire: Wire, first: asyncio.Event) -> None:
        """Start the account once the event stream is open, so that no event is missed, and then monitor the gateway.

        Stop is never called, because it may end the account's WeChat session.
        """
        timing = self._timing
        try:
            async with asyncio.timeout(timing.first_event):
                await first.wait()
        except TimeoutError:
            log.info("%s: the gateway sent no first event", self._settings.account)
            self._owner.opened(wire)
        try:
            await wire.call("Start", pb.Empty(), timing.start)
        except WeChatRefused as error:
            raise ConnectionLost(Reason(Problem.CANNOT_START, error.text)) from None
        self._failures = 0
        await self._owner.started()
        while True:
            await asyncio.sleep(timing.watch_every)
            if not await wire.is_alive(timing.watch_limit):
                raise ConnectionLost(Reason(Problem.NO_ANSWER))
