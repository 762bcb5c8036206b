"""The supervised connection to the gateway, kept whether or not a client is connected."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from grpclib.client import Channel, Stream
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError

from protocol.supervision import TlsChoice, backoff, end
from protocol.tls import GatewayAddress, is_loopback, make_channel
from relay.tls_mark import TlsMark
from relay.wire import LOST, RawCodec, RawStatusDetailsCodec, ask, path_of

log = logging.getLogger(__name__)
EMPTY: Final = b""


@dataclass(frozen=True, slots=True)
class Timing:
    """Timeouts and intervals in seconds."""

    connect: float = 10.0
    first_event: float = 5.0
    start: float = 20.0
    watch_every: float = 4.0
    watch_limit: float = 3.0
    backoff_first: float = 0.2
    backoff_most: float = 10.0


class Upstream:
    """The gateway of a relay. `heard` is called with each raw event."""

    def __init__(
        self,
        gateway: GatewayAddress,
        tls: TlsChoice,
        tls_mark: TlsMark,
        heard: Callable[[bytes], Awaitable[None]],
        timing: Timing,
    ) -> None:
        self._gateway = gateway
        self._tls = tls
        self._tls_mark = tls_mark
        self._heard = heard
        self._timing = timing
        self._failures = 0
        self._why = ""
        self.channel: Channel | None = None  # set while the gateway is connected
        self.changed = asyncio.Event()

    @property
    def metadata(self) -> dict[str, str]:
        """Metadata of every call to the gateway."""
        return {"authorization": f"Wechaty {self._gateway.token}"}

    async def run(self) -> None:
        """Connect and reconnect until cancelled."""
        while True:
            self._failures += 1
            why = "the event stream ended"
            try:
                await self._tls.run(self._session, may_be_plain=self._may_be_plain())
            except GRPCError as error:  # its text may hold the token
                why = "another client holds the event stream" if error.status is Status.ALREADY_EXISTS else ""
                why = why or f"refused: {error.status.name}"
            except (*LOST, TimeoutError) as error:
                why = f"no connection: {type(error).__name__}"
                if self._failures > 1:
                    self._tls.forget()
            finally:
                self._set(None)
            if why != self._why:
                log.warning("gateway %s: %s", self._gateway.endpoint, why)
                self._why = why
            await asyncio.sleep(backoff(self._failures, self._timing.backoff_first, self._timing.backoff_most))

    def _may_be_plain(self) -> bool:
        if self._gateway.ca or self._gateway.name:
            return False
        return is_loopback(self._gateway.endpoint) or not self._tls_mark.is_set

    def _set(self, channel: Channel | None) -> None:
        self.channel = channel
        self.changed.set()
        self.changed = asyncio.Event()

    async def _session(self, secure: bool) -> None:
        codecs = {"codec": RawCodec(), "status_details_codec": RawStatusDetailsCodec()}
        channel = make_channel(self._gateway, secure=secure, **codecs)  # type: ignore[arg-type]
        try:
            await asyncio.wait_for(channel.__connect__(), self._timing.connect)
            await self._talk(channel, secure)
        finally:
            channel.close()

    async def _talk(self, channel: Channel, secure: bool) -> None:
        event = path_of("Event")
        opened = channel.request(event, Cardinality.UNARY_STREAM, bytes, bytes, metadata=self.metadata)
        async with opened as stream:
            await stream.send_message(EMPTY, end=True)
            first = asyncio.Event()
            tasks = {
                asyncio.create_task(self._read(stream, first, secure)),
                asyncio.create_task(self._keep(channel, first)),
            }
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                await end(tasks)

    async def _read(self, stream: Stream[bytes, bytes], first: asyncio.Event, secure: bool) -> None:
        async for body in stream:
            if not first.is_set():
                if secure:
                    self._tls_mark.set()
                self._tls.worked(secure)
                first.set()
            await self._heard(body)
        await stream.recv_trailing_metadata()

    async def _keep(self, channel: Channel, first: asyncio.Event) -> None:
        """Start the account, so that events arrive without a client, and then monitor the gateway."""
        timing = self._timing
        try:
            await asyncio.wait_for(first.wait(), timing.first_event)
        except TimeoutError:
            log.info("gateway %s: no first event", self._gateway.endpoint)
        await ask(channel, "Start", EMPTY, self.metadata, timing.start)
        log.info("gateway %s: connected", self._gateway.endpoint)
        self._failures, self._why = 0, ""
        self._set(channel)
        while True:
            await asyncio.sleep(timing.watch_every)
            try:
                await ask(channel, "Version", EMPTY, self.metadata, timing.watch_limit)
            except GRPCError as error:
                if error.status in (Status.DEADLINE_EXCEEDED, Status.UNAVAILABLE):
                    raise
