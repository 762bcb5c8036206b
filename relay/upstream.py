"""The supervised connection to the gateway: kept open whether or not a client is connected."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from protocol.relaying import ACKNOWLEDGED, EPOCH, RESUME
from protocol.supervision import TlsChoice, backoff, end
from protocol.tls import GatewayAddress, authority, context, may_be_plain
from relay.headers import Field, Headers
from relay.http2 import GatewayLost, Http2Connection, TooManyCalls
from relay.journal import Journal
from relay.journal_tables import Fact
from relay.rpc import MAX_MESSAGE_BYTES, OwnCall, UndecodableMessage, begin, path_of
from relay.stale_stream import StaleStream
from relay.writer import WriteCoalescer

log = logging.getLogger(__name__)
EMPTY: Final = b""
FORWARDED: Final = 256  # headers of calls that are remembered
NOT_FORWARDED: Final = frozenset(name.encode() for name in ("authorization", EPOCH, ACKNOWLEDGED, RESUME))
OWN_HEADERS: Final = ((b"te", b"trailers"), (b"content-type", b"application/grpc+proto"))


@dataclass(frozen=True, slots=True)
class RelayTiming:
    """Timeouts in seconds."""

    connect: float = 10.0
    first_event: float = 5.0
    start: float = 20.0
    watch_every: float = 4.0
    watch_limit: float = 3.0
    backoff_first: float = 0.2
    backoff_most: float = 10.0
    held_most: float = 2.0  # longest pause while another connection holds the event stream
    release_after: float = 30.0  # 0 = never


class Upstream:
    """The gateway of one relay.

    `on_events` is called with the events that arrive together, `on_lost` when the connection has ended.
    """

    def __init__(
        self,
        gateway: GatewayAddress,
        tls: TlsChoice,
        journal: Journal,
        on_events: Callable[[Sequence[bytes]], Awaitable[None]],
        on_lost: Callable[[], None],
        timing: RelayTiming,
        coalescer: WriteCoalescer,
    ) -> None:
        self._gateway = gateway
        self._tls = tls
        self._journal = journal
        self._on_events = on_events
        self._on_lost = on_lost
        self._timing = timing
        self._coalescer = coalescer
        self._stale = StaleStream(journal, gateway.endpoint, timing.release_after)
        self._failures = 0
        self._reported_reason = ""
        self._scheme = b"http"
        self._forwarded: dict[Headers, Headers] = {}
        self.connection: Http2Connection | None = None  # while connected

    def headers(self, path: str, extra: Iterable[Field] = OWN_HEADERS) -> Headers:
        """Return the headers of a call to the gateway."""
        return Headers(
            (
                (b":method", b"POST"),
                (b":scheme", self._scheme),
                (b":path", path.encode("latin-1")),
                (b":authority", authority(self._gateway, secure=self._scheme == b"https").encode()),
                (b"authorization", f"Wechaty {self._gateway.token}".encode()),
                *extra,
            )
        )

    def forwarded(self, headers: Headers) -> Headers:
        """Return the headers of a forwarded call."""
        cached = self._forwarded.get(headers)
        if cached is None:
            passed = (
                field for field in headers.fields if field[0] not in NOT_FORWARDED and not field[0].startswith(b":")
            )
            cached = self.headers(headers.metadata[":path"], passed)
            if len(self._forwarded) >= FORWARDED:
                self._forwarded.clear()
            self._forwarded[headers] = cached
        return cached

    async def ask(self, name: str, request: bytes, timeout: float, limit: int) -> list[bytes]:
        """Make a call of the relay's own; return its responses.

        Raises GRPCError, TimeoutError, GatewayLost, CallEnded, TooManyCalls, or above `limit` bytes in all
        UndecodableMessage.
        """
        if self.connection is None:
            raise GatewayLost
        return await self._ask(self.connection, name, request, timeout, limit)

    async def run(self) -> None:
        """Connect, and again after every loss, until cancelled."""
        while True:
            self._failures += 1
            reason, longest = "the event stream ended", self._timing.backoff_most
            try:
                seen = self._journal.tls_seen == self._gateway.endpoint
                await self._tls.run(self._session, may_be_plain=may_be_plain(self._gateway, tls_seen=seen))
                self._stale.ended()
            except GRPCError as error:  # the error's text may contain the token
                reason = f"refused: {error.status.name}"
                if error.status is Status.ALREADY_EXISTS:
                    reason, longest = "another client holds the event stream", self._timing.held_most
            except (OSError, TimeoutError, TooManyCalls, UndecodableMessage) as error:
                reason = f"no connection: {type(error).__name__}"
                if isinstance(error, ConnectionRefusedError):
                    self._stale.ended()  # with its process, the gateway's stream has ended
            finally:
                self.connection = None
                self._on_lost()
            if reason != self._reported_reason:
                log.warning("gateway %s: %s", self._gateway.endpoint, reason)
                self._reported_reason = reason
            await asyncio.sleep(backoff(self._failures, self._timing.backoff_first, longest))

    async def _session(self, secure: bool) -> None:
        try:
            async with asyncio.timeout(self._timing.connect):
                connection = await self._connect(secure)
            try:
                await self._run_connection(connection, secure)
            finally:
                connection.close()
        except (OSError, TimeoutError):
            if not secure and self._failures:  # lost before it worked: it may speak TLS by now
                self._tls.forget()
            raise

    async def _connect(self, secure: bool) -> Http2Connection:
        gateway = self._gateway
        self._scheme = b"https" if secure else b"http"
        self._forwarded.clear()
        connection = Http2Connection(coalescer=self._coalescer)
        await asyncio.get_running_loop().create_connection(
            lambda: connection,
            gateway.host,
            int(gateway.endpoint.rpartition(":")[2]),
            ssl=context(gateway.ca) if secure else None,
            server_hostname=gateway.certificate_name if secure else None,
        )
        return connection

    async def _run_connection(self, connection: Http2Connection, secure: bool) -> None:
        first = asyncio.Event()
        call = begin(connection, self.headers(path_of("Event")), EMPTY)
        call.mark_long_lived()
        tasks = {
            asyncio.create_task(self._read(call, first, secure)),
            asyncio.create_task(self._monitor(connection, first)),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except GRPCError as error:
            if error.status is Status.ALREADY_EXISTS and self._stale.refused():
                await self._release(connection)
            raise
        finally:
            await end(tasks)

    async def _release(self, connection: Http2Connection) -> None:
        log.warning("gateway %s: ending the event stream of a lost connection", self._gateway.endpoint)
        self._stale.ended()
        await self._ask(connection, "Stop", EMPTY, self._timing.start)

    async def _read(self, call: OwnCall, first: asyncio.Event, secure: bool) -> None:
        async for bodies in call.responses():
            if not first.is_set():
                self._session_opened(secure)
                first.set()
            await self._on_events(bodies)

    def _session_opened(self, secure: bool) -> None:
        self._tls.session_opened(secure)
        if secure and self._journal.tls_seen != self._gateway.endpoint:
            self._journal.tls_seen = self._gateway.endpoint
            self._journal.remember(Fact.TLS_SEEN, self._gateway.endpoint)

    async def _monitor(self, connection: Http2Connection, first: asyncio.Event) -> None:
        """Start the account, so that events arrive while no client is connected; then watch the gateway."""
        timing = self._timing
        try:
            async with asyncio.timeout(timing.first_event):
                await first.wait()
        except TimeoutError:
            log.info("gateway %s: sent no first event", self._gateway.endpoint)
        await self._ask(connection, "Start", EMPTY, timing.start)
        log.info("gateway %s: connected", self._gateway.endpoint)
        self._failures, self._reported_reason = 0, ""
        self._stale.opened()
        self.connection = connection
        while True:
            await asyncio.sleep(timing.watch_every)
            if connection.is_leaving:  # it is closed once the calls under way have ended
                continue
            try:
                await self._ask(connection, "Version", EMPTY, timing.watch_limit)
            except TooManyCalls:  # of clients, which have deadlines of their own
                continue
            except GatewayLost:
                if connection.is_lost or not connection.is_leaving:
                    raise  # otherwise only this call was refused, and others are under way
            except GRPCError as error:
                if error.status in (Status.DEADLINE_EXCEEDED, Status.UNAVAILABLE):
                    raise

    async def _ask(
        self, connection: Http2Connection, name: str, request: bytes, timeout: float, limit: int = MAX_MESSAGE_BYTES
    ) -> list[bytes]:
        answers: list[bytes] = []
        call = begin(connection, self.headers(path_of(name)), request, limit)
        async with asyncio.timeout(timeout), aclosing(call.responses()) as received:
            async for messages in received:
                answers += messages
                limit -= sum(map(len, messages))
                if limit < 0:  # a file comes in many messages
                    raise UndecodableMessage
        return answers
