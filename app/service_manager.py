"""Notifies systemd of start, liveness and stop (sd_notify(3)). Without NOTIFY_SOCKET it does nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)


class ServiceManager:
    """The socket of the service manager, if there is one."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path  # @ means the abstract namespace
        watchdog = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog = int(watchdog) / 1_000_000 if watchdog.isdecimal() and is_ours else 0.0

    def ready(self) -> None:
        """Report that the start is complete."""
        self._notify("READY=1")

    def stopping(self) -> None:
        """Report that the stop has begun."""
        self._notify("STOPPING=1")

    async def keep_alive(self) -> None:
        """Report twice per watchdog interval that the event loop is running, until cancelled."""
        while self._address and self._watchdog:
            self._notify("WATCHDOG=1")
            await asyncio.sleep(self._watchdog / 2)

    def _notify(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(state.encode(), self._address)
        except OSError as error:
            log.warning("could not notify the service manager of %s: %s", state, error.strerror or error)
