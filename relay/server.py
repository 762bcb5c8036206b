"""The server of a relay: TLS, plaintext, or both on one port, distinguished by a connection's first byte."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Final

from grpclib.config import Configuration
from grpclib.protocol import H2Protocol
from grpclib.server import Server

from protocol.server import AuthorityHandler
from protocol.supervision import Tls, end
from relay.wire import EveryCall, RawCodec, RawStatusDetailsCodec

log = logging.getLogger(__name__)
TLS_HANDSHAKE: Final = 0x16
FIRST_BYTE: Final = 10.0  # timeout in seconds for a connection's first byte
KEEPALIVE: Final = Configuration(_keepalive_time=10.0, _keepalive_timeout=10.0, _http2_max_pings_without_data=0)


class RelayServer(Server):
    """A server with one handler for all calls."""

    def __init__(self, serve: object, context: ssl.SSLContext, tls: Tls) -> None:
        super().__init__([], codec=RawCodec(), status_details_codec=RawStatusDetailsCodec(), config=KEEPALIVE)
        self._mapping = EveryCall(serve)
        self._context = context
        self._tls = tls
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.BaseTransport] = set()

    def _protocol_factory(self) -> H2Protocol:
        self.__gc_step__()
        handler = AuthorityHandler(self._mapping, self._codec, self._status_details_codec, self.__dispatch__)
        self._handlers.add(handler)
        return H2Protocol(handler, self._config, self._h2_config)

    @property
    def listening_port(self) -> int:
        """The listening port."""
        assert self._socket is not None
        return int(self._socket.getsockname()[1])

    async def listen(self, host: str, port: int) -> None:
        """Start listening; raise OSError."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, address = found[0][0], found[0][4]
        self._socket = socket.create_server(address[:2], family=family, backlog=128)
        self._socket.setblocking(False)
        self._hold(self._accept_forever(self._socket))

    async def stop(self) -> None:
        """Close the port and all connections."""
        await end(self._tasks)
        for transport in self._open:
            transport.close()
        for handler in self._handlers:
            handler.close()
        if self._socket is not None:
            self._socket.close()

    def _hold(self, work: object) -> None:
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
            self._hold(self._welcome(accepted))

    async def _welcome(self, accepted: socket.socket) -> None:
        """Detect whether a client uses TLS, without consuming its data."""
        loop = asyncio.get_running_loop()
        try:
            secure = self._tls if self._tls != "auto" else await self._speaks_tls(accepted)
            context = self._context if secure else None
            self._open = {one for one in self._open if not one.is_closing()}
            transport, _ = await loop.connect_accepted_socket(self._protocol_factory, accepted, ssl=context)
            self._open.add(transport)
        except (OSError, TimeoutError) as error:  # includes ssl.SSLError
            log.info("could not open a connection: %s", type(error).__name__)
            accepted.close()

    async def _speaks_tls(self, accepted: socket.socket) -> bool:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(accepted, ready.set)
        try:
            await asyncio.wait_for(ready.wait(), FIRST_BYTE)
        finally:
            loop.remove_reader(accepted)
        first = accepted.recv(1, socket.MSG_PEEK)
        if not first:
            raise ConnectionResetError
        return first[0] == TLS_HANDSHAKE
