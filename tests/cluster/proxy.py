"""A TCP proxy that can cut or freeze its connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Self

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Proxy:
    """Listens on `port` of 127.0.0.1 and forwards to what `connect` opens."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._passes = asyncio.Event()
        self._passes.set()
        self._refuses = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        self._passes.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)

    def freeze(self) -> None:
        """Stop forwarding."""
        self._passes.clear()

    def cut(self) -> None:
        """Close all connections and refuse new ones until `restore`."""
        self._refuses = True
        for writer in self._writers:
            writer.transport.abort()

    def restore(self) -> None:
        """Resume forwarding."""
        self._refuses = False
        self._passes.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            answers, asks = await self._connect()
        except OSError:  # such as during a restart
            writer.transport.abort()
            return
        both = {writer, asks}
        self._writers |= both
        try:
            await asyncio.gather(self._pump(reader, asks), self._pump(answers, writer))
        finally:
            self._writers -= both
            for member in both:
                member.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self._passes.wait()
                if target.is_closing():  # aborted; uvloop raises RuntimeError for a write
                    break
                target.write(data)
                await target.drain()
        target.close()


def to_postgres(database: str) -> tuple[Connect, Callable[[int], str]]:
    """Return how to connect to a test's PostgreSQL, and the database's URL through a proxy at a port."""
    from sqlalchemy import make_url

    url = make_url(database)
    folder = url.query["host"]
    connect = lambda: asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")  # noqa: E731

    def through(port: int) -> str:
        return url.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)

    return connect, through
