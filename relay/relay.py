"""One relay: a gateway, its journal, and the port its clients use."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Final

from protocol.supervision import TlsChoice, end
from protocol.tls import GatewayAddress, server_context
from relay.config import RelaySettings
from relay.feed import Feed
from relay.fence import Fence
from relay.journal import Journal, JournalError
from relay.payload_keeper import PayloadKeeper
from relay.server import RelayServer
from relay.service import RelayService
from relay.upstream import RelayTiming, Upstream
from relay.writer import WriteCoalescer

log = logging.getLogger(__name__)
DAY: Final = 86400.0
CONFIRM_EVERY: Final = 0.5
PRUNE_EVERY: Final = 60.0


class Relay:
    """Built from its settings; `start` listens, `stop` releases everything."""

    def __init__(self, settings: RelaySettings, data: Path, timing: RelayTiming | None = None) -> None:
        self.title = settings.title
        self._settings = settings
        self.journal = Journal(data / f"{settings.title}.db")
        self.feed = Feed(self.journal)
        gateway = GatewayAddress(settings.endpoint, settings.token, settings.tls_ca, settings.tls_server_name)
        coalescer, choice = WriteCoalescer(), TlsChoice(settings.tls)
        timing = timing or RelayTiming(release_after=settings.release_after)
        self.upstream = Upstream(
            gateway, choice, self.journal, self.feed.put, self.feed.account_status.clear, timing, coalescer
        )
        self._keeper = PayloadKeeper(self.journal, self.upstream, int(settings.media_mb * 1024 * 1024))
        self.service = RelayService(settings.token, self.journal, self.feed, self.upstream, self._keeper)
        context = server_context(settings.tls_certificate, settings.tls_key)
        self._server = RelayServer(self.service.accept, context, settings.tls, coalescer)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def fence(self) -> Fence:
        """The epochs of the clients, and who holds the event stream."""
        return self.service.fence

    async def start(self) -> None:
        """Open the journal, listen, and connect to the gateway; JournalError, OSError."""
        await self.journal.open()
        host, _, port = self._settings.listen.rpartition(":")
        await self._server.listen(host.strip("[]"), int(port))
        work = (self.upstream.run(), self._keeper.run(), self._confirm(), self._prune())
        self._tasks = [asyncio.create_task(coroutine) for coroutine in work]
        log.info("%s: listening on %s", self.title, self._settings.listen)

    async def stop(self) -> None:
        """Close both sides and write what is pending."""
        await self._server.stop()
        await end(self._tasks)
        await self.journal.close()

    async def failed(self) -> None:
        """Wait until a part ends, which is always an error; return its exception."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _confirm(self) -> None:
        while True:
            await asyncio.sleep(CONFIRM_EVERY)
            await self.service.confirm()

    async def _prune(self) -> None:
        while True:
            try:
                await self.journal.prune(self.journal.clock.now - self._settings.keep_days * DAY)
            except JournalError as error:
                log.warning("%s: could not delete old events: %s", self.title, error)
            with suppress(TimeoutError):  # a full disk may have room again at once
                async with asyncio.timeout(PRUNE_EVERY):
                    await self.journal.has_begun_to_fail.wait()
            self.journal.has_begun_to_fail.clear()
