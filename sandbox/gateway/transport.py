"""A grpclib server whose connections can be frozen or aborted."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, cast

from grpclib.protocol import H2Protocol
from grpclib.server import Server

from protocol.server import AuthorityHandler


class GatewayConnection(H2Protocol):
    """A connection registered with its server."""

    def __init__(self, server: GatewayServer, *args: Any) -> None:
        super().__init__(*args)
        self._server = server
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register with the server; freeze if the server is frozen."""
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._server.connections.add(self)
        if self._server.frozen:
            self.freeze()

    def freeze(self) -> None:
        """Stop reading and writing."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()
            self.pause_writing()

    def thaw(self) -> None:
        """Resume reading and writing."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
            self.resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Unregister from the server."""
        self._server.connections.discard(self)
        super().connection_lost(exc)


class GatewayServer(Server):
    """An HTTP/2 server whose connections can be frozen (accepted but never answered, not even pings) and closed."""

    def __init__(self, handlers: Collection[Any]) -> None:
        super().__init__(handlers)
        self.connections: set[GatewayConnection] = set()
        self.frozen = False

    def _protocol_factory(self) -> GatewayConnection:
        self.__gc_step__()
        handler = AuthorityHandler(self._mapping, self._codec, self._status_details_codec, self.__dispatch__)
        self._handlers.add(handler)
        return GatewayConnection(self, handler, self._config, self._h2_config)

    @property
    def port(self) -> int:
        """The listening port."""
        server = cast("asyncio.Server", self._server)  # or uvloop's, which has the same attributes
        return int(server.sockets[0].getsockname()[1])

    def freeze(self) -> None:
        """Stop reading and writing on all connections."""
        self.frozen = True
        for connection in self.connections:
            connection.freeze()

    def thaw(self) -> None:
        """Resume, starting with the data received while frozen."""
        self.frozen = False
        for connection in self.connections:
            connection.thaw()

    def cut(self, *, abruptly: bool) -> None:
        """Close all connections. `abruptly` aborts them; so are connections whose client does not read."""
        for connection in list(self.connections):
            if (transport := connection.transport) is None:
                continue
            if abruptly or transport.get_write_buffer_size():
                transport.abort()
            else:
                transport.close()
