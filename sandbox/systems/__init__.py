"""Stand-ins for the business systems of the shipped flows (云商城, HiPOS 云), with a page that shows requests."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from yarl import URL

from sandbox.systems.callbacks import call_back
from sandbox.systems.pages import add_page
from sandbox.systems.request_log import RequestLog, SystemRequest
from sandbox.systems.stand_ins import HIPOS, TITLES, YUNMALL, routes

__all__ = [
    "HIPOS",
    "PORTS",
    "YUNMALL",
    "RequestLog",
    "SystemRequest",
    "Systems",
    "call_back",
    "ports_of",
    "start_systems",
]

log = logging.getLogger(__name__)
PORTS = (9101, 9102)
LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(slots=True)
class Systems:
    """The running stand-ins. `problems` has a line for each that could not be started."""

    request_log: RequestLog
    urls: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def stop(self) -> None:
        """Stop the servers. Idempotent."""
        await self._stack.aclose()


def ports_of(base_urls: Mapping[str, str]) -> list[int]:
    """Return the ports at which flows call the stand-ins; the default for a system that is elsewhere or not given."""
    urls = [URL(base_urls.get(name, "")) for name in (YUNMALL, HIPOS)]
    return [url.port or 80 if url.host in LOOPBACK else port for url, port in zip(urls, PORTS, strict=True)]


async def start_systems(
    host: str = "127.0.0.1", ports: Sequence[int] = PORTS, *, state: Path | str | None = None
) -> Systems:
    """Start both stand-ins, each on its port with the page at /; port 0 means any free port.

    A stand-in whose port is taken is skipped and listed in `problems`. `state` is the file in which requests and
    pending callbacks are stored.
    """
    systems = Systems(RequestLog(Path(state) if state else None))
    async with AsyncExitStack() as stack:
        for name, port in zip((YUNMALL, HIPOS), ports, strict=True):
            runner = web.AppRunner(_app(systems.request_log, name), access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            try:
                await web.TCPSite(runner, host, port).start()
            except OSError as error:
                reason = os.strerror(error.errno) if error.errno else str(error)
                systems.problems.append(f"the stub of {TITLES[name]} cannot listen on {host}:{port}: {reason}")
                continue
            systems.urls[name] = f"http://{host}:{runner.addresses[0][1]}"
        systems._stack = stack.pop_all()
    for problem in systems.problems:
        log.warning("%s", problem)
    return systems


def _app(request_log: RequestLog, system: str) -> web.Application:
    app = web.Application(client_max_size=256 * 1024)
    add_page(app, request_log)
    app.add_routes(routes(request_log, system))
    return app
