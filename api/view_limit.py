"""Rate limit of the landing page."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Network
from typing import Final

MAX_VIEWS: Final = 60
WINDOW: Final = 60.0  # seconds
MAX_ADDRESSES: Final = 10_000


class ViewLimit:
    """Sliding window per address. Above `max_addresses`, the least recently seen are forgotten."""

    def __init__(self, clock: Callable[[], float], max_addresses: int = MAX_ADDRESSES) -> None:
        self._clock = clock
        self._max_addresses = max_addresses
        self._views: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._views)

    def acquire(self, address: str) -> float:
        """Count a view and return 0, or return the seconds until the next one is allowed."""
        now = self._clock()
        key = subnet(address)
        views = self._views.setdefault(key, deque())
        self._views.move_to_end(key)
        if len(self._views) > self._max_addresses:
            self._views.popitem(last=False)
        while views and views[0] <= now - WINDOW:
            views.popleft()
        if len(views) >= MAX_VIEWS:
            return views[0] + WINDOW - now
        views.append(now)
        return 0.0


def subnet(address: str) -> str:
    """Return the network by which a caller is counted: a /48 for IPv6, since one caller may have all of it."""
    if ":" not in address:
        return address
    return str(IPv6Network((address.partition("%")[0], 48), strict=False))
