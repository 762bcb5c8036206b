"""The HTTP server. It also answers requests that aiohttp rejects before the application with JSON errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from api.app_keys import CONNECTIONS
from api.connection_limits import ConnectionLimits
from api.responses import convert_http_error, error_response
from errors import BotError, InvalidParameter

log = logging.getLogger(__name__)
HEAD_SECONDS: Final = 10.0  # until the headers of the first request must have arrived
IDLE_SECONDS: Final = 60.0  # between two requests of a connection


class _Connection(web.RequestHandler):
    """A connection; it is refused above the limits, and closed if its first request does not arrive in time."""

    __slots__ = ("_head_timer", "_limits")

    def __init__(self, manager: web.Server, *, limits: ConnectionLimits, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._limits = limits

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timeout of the first request."""
        super().connection_made(transport)
        self._head_timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, transport.close)
        remote = transport.get_extra_info("peername")
        if not self._limits.admit(self, remote[0] if remote else ""):
            self.drop()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self._current_request is None

    def drop(self) -> None:
        """Close it immediately."""
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Stop the timeout once a request has been parsed."""
        super().data_received(data)
        if self._messages or self._current_request is not None:
            self._head_timer.cancel()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the timeout."""
        self._head_timer.cancel()
        self._limits.release(self)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that cannot be parsed or whose handler failed, and close the connection."""
        if isinstance(exc, ConnectionError):
            log.debug("%s closed the connection during its request", request.remote)
        elif status >= 500:
            log.error("a request failed outside its handler", exc_info=exc)
        else:
            log.debug("invalid HTTP request from %s: %s", request.remote, type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("part of the response was already sent")
        response = error_response(InvalidParameter() if status < 500 else BotError())
        response.force_close()
        return response


class _Server(web.Server):
    """Creates the connections."""

    def __init__(self, handler: Any, *, limits: ConnectionLimits, **settings: Any) -> None:
        super().__init__(handler, **settings)
        self._limits = limits

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, limits=self._limits, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """web.AppRunner with JSON errors.

    Bodies are not decompressed: aiohttp drops the connection without a response if a body is not the gzip it claims to
    be.
    """

    def __init__(self, app: web.Application, **settings: Any) -> None:
        super().__init__(app, auto_decompress=False, keepalive_timeout=IDLE_SECONDS, **settings)

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(
            _translated(server.request_handler),
            limits=self.app[CONNECTIONS],
            request_factory=server.request_factory,
            loop=server._loop,
            **server._kwargs,
        )


def _translated(handler: Callable[[Any], Awaitable[web.StreamResponse]]) -> Callable[[Any], Awaitable[Any]]:
    """Convert errors raised before the middleware, such as for an unknown Expect header."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return convert_http_error(error)

    return handle
