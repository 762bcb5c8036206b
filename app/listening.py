"""Binding the address of the web server before anything else is started."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager


async def bind(host: str, port: int, stack: AsyncExitStack) -> list[socket.socket]:
    """Bind the addresses of a host without listening yet."""
    addresses = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    bound = []
    for family, kind, protocol, _, address in dict.fromkeys(addresses):
        listener = stack.enter_context(socket.socket(family, kind, protocol))
        listener.setblocking(False)
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise OSError(
                error.errno, f"error while attempting to bind on address {address}: {error.strerror}"
            ) from None
        bound.append(listener)
    return bound


@contextmanager
def named(section: str, host: str, port: int) -> Iterator[None]:
    """Name the config section in the error of binding a port, and the key to change if the port is taken."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OSError(f"{section}.port: another program uses {host or '*'}:{port}") from error
        raise OSError(f"{section}: {error.strerror or error}") from error
