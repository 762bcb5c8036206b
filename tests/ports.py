"""Ports for servers of the tests.

They are below the range from which the kernel takes ports for outgoing connections: otherwise a connection of another
test may hold the port of a server that is killed and started again. Each worker of pytest-xdist has its own part of
them, and a port is given once, since a server may listen only much later, or never.
"""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path
from typing import Final

LOWEST: Final = 10_000
_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
HIGHEST: Final = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS: Final = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_random: Final = random.SystemRandom()  # not affected by seeds of tests
_given: Final[set[int]] = set()


def free_ports(count: int) -> list[int]:
    """Return as many different unused ports."""
    ports: set[int] = set()
    while len(ports) < count:
        port = _random.randrange(LOWEST + WORKER, HIGHEST, WORKERS)
        if port not in _given and _is_free(port):
            _given.add(port)
            ports.add(port)
    return list(ports)


def free_port() -> int:
    """Return an unused port."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
