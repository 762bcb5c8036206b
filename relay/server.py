"""The server of a relay: TLS, plaintext, or both on one port, distinguished by a connection's first byte."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final, TypeVar

from protocol.supervision import Tls, end
from relay.http2 import Accept, Http2Connection
from relay.writer import WriteCoalescer

Result = TypeVar("Result")
log = logging.getLogger(__name__)
TLS_HANDSHAKE: Final = 0x16
FIRST_BYTE: Final = 10.0  # seconds until a connection must have sent something
PORT_TRIES: Final = 100
PORT_WAIT: Final = 0.01  # seconds
KEEPALIVE: Final = 10.0  # seconds; a client whose machine is down blocks others for at most twice that


async def bound(bind: Callable[[], Result]) -> Result:
    """Return what `bind` returns, retrying for a while if the port is in use by a process that is ending; raise
    OSError.
    """
    for _ in range(PORT_TRIES):
        try:
            return bind()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            await asyncio.sleep(PORT_WAIT)
    return bind()


class RelayServer:
    """Accepts connections and has their calls served."""

    def __init__(self, accept: Accept, context: ssl.SSLContext, tls: Tls, coalescer: WriteCoalescer) -> None:
        self._accept = accept
        self._coalescer = coalescer
        self._context = context
        self._tls = tls
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[Http2Connection] = set()

    async def listen(self, host: str, port: int) -> None:
        """Start listening; raise OSError."""
        addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, address = addresses[0][0], addresses[0][4]
        self._socket = await bound(lambda: socket.create_server(address[:2], family=family, backlog=128))
        self._socket.setblocking(False)
        self._track(self._accept_forever(self._socket))

    async def stop(self) -> None:
        """Close the port and all connections."""
        await end(self._tasks)
        for connection in self._connections:
            connection.close()
        if self._socket is not None:
            self._socket.close()

    def _track(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept_forever(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
            except OSError as error:  # such as too many open files; clients will retry
                log.warning("could not accept a connection: %s", error)
                await asyncio.sleep(0.2)
                continue
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._track(self._serve(accepted))

    async def _serve(self, accepted: socket.socket) -> None:
        """Detect whether a client uses TLS, without consuming its data."""
        loop = asyncio.get_running_loop()
        try:
            secure = self._tls if self._tls != "auto" else await self._uses_tls(accepted)
            context = self._context if secure else None
            self._connections = {connection for connection in self._connections if not connection.is_lost}
            connection = Http2Connection(self._accept, KEEPALIVE, self._coalescer)
            await loop.connect_accepted_socket(lambda: connection, accepted, ssl=context)  # uvloop returns another one
            self._connections.add(connection)
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            log.info("a connection was not opened: %s", type(error).__name__)
            accepted.close()

    async def _uses_tls(self, accepted: socket.socket) -> bool:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(accepted, ready.set)
        try:
            async with asyncio.timeout(FIRST_BYTE):
                await ready.wait()
        finally:
            loop.remove_reader(accepted)
        first = accepted.recv(1, socket.MSG_PEEK)
        if not first:
            raise ConnectionResetError
        return first[0] == TLS_HANDSHAKE
