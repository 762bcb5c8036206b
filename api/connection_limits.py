"""Limits of open connections: per address, external, and total.

External callers use only the join pages; they must not exhaust the descriptors needed by internal callers, gateways and
the database.
"""

from __future__ import annotations

import logging
import resource
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Final, Protocol

from api.network import AccessControl, Address
from api.view_limit import subnet
from logs import RateLimitedLog

RESERVED: Final = 256  # descriptors for gateways, the database, files and calls to business systems
MAX_EXTERNAL: Final = 256  # of all external addresses together
MAX_PER_EXTERNAL_ADDRESS: Final = 64  # per external address
MAX_PER_INTERNAL_ADDRESS: Final = 512  # per internal address; trusted proxies forward for many clients and are exempt

rejection_log = RateLimitedLog(logging.getLogger(__name__))


class ClientConnection(Protocol):
    """One open connection."""

    @property
    def is_idle(self) -> bool:
        """Whether no request of it is being answered."""

    def drop(self) -> None:
        """Close it immediately."""


@dataclass(frozen=True, slots=True)
class ConnectionCaps:
    """The limits."""

    external: int = MAX_EXTERNAL
    per_external_address: int = MAX_PER_EXTERNAL_ADDRESS
    per_internal_address: int = MAX_PER_INTERNAL_ADDRESS
    total: int = 0  # 0 = the process's file descriptor limit minus the reserve


class ConnectionLimits:
    """Admits connections; above the external limit, the external connection idle longest is closed."""

    def __init__(self, access: AccessControl, caps: ConnectionCaps | None = None) -> None:
        self._access = access
        self._caps = caps or ConnectionCaps()
        self._total = self._caps.total or max(RESERVED, _descriptors() - RESERVED)
        self._by_address: Counter[str] = Counter()
        self._external: OrderedDict[ClientConnection, None] = OrderedDict()  # the oldest first
        self._open: dict[ClientConnection, str] = {}  # with the subnet it is counted for

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: ClientConnection, remote: str) -> bool:
        """Count a new connection; return False if it exceeds a limit."""
        address = self._access.classify(remote)
        key = subnet(address.text)
        if not self._has_room(address, key):
            rejection_log.info("connections", "a connection from %s is refused: there are too many", address.text)
            return False
        self._open[connection] = key
        self._by_address[key] += 1
        if not (address.allowed or address.trusted):
            self._external[connection] = None
        return True

    def release(self, connection: ClientConnection) -> None:
        """Unregister a closed connection."""
        key = self._open.pop(connection, None)
        if key is None:
            return
        self._external.pop(connection, None)
        self._by_address[key] -= 1
        if not self._by_address[key]:
            del self._by_address[key]

    def _has_room(self, address: Address, key: str) -> bool:
        caps, is_external = self._caps, not (address.allowed or address.trusted)
        limit = caps.per_external_address if is_external else caps.per_internal_address
        if not address.trusted and self._by_address[key] >= limit:
            return False
        if is_external and len(self._external) >= caps.external:
            return self._drop_idle()
        return len(self._open) < self._total or self._drop_idle()

    def _drop_idle(self) -> bool:
        """Close the external connection idle longest; return whether there was one."""
        idle = next((connection for connection in self._external if connection.is_idle), None)
        if idle is None:
            return False
        idle.drop()
        self.release(idle)
        return True


def _descriptors() -> int:
    """Raise the limit of open files and connections as far as possible; return it."""
    soft_limit, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard_limit != resource.RLIM_INFINITY and soft_limit < hard_limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
        return hard_limit
    return 65536 if soft_limit == resource.RLIM_INFINITY else soft_limit
