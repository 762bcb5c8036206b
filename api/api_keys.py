"""API keys: scopes, networks and rate limits."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Final

from aiohttp import web

from config.settings import ApiKey, Scope
from errors import BadKey, OutsideNetwork, TooManyRequests

MINUTE: Final = 60.0
READ: Final = frozenset({"GET", "HEAD"})
AREAS: Final = (  # the area of a route, by the first matching prefix
    ("/wxbot/qun/membership", Scope.MEMBERSHIP),
    ("/wxbot/qun", Scope.QUN),
    ("/wxbot/message", Scope.MESSAGE),
    ("/wxbot/broadcast", Scope.MESSAGE),
    ("/wxbot/ticket", Scope.READ),
    ("/wxbot/audit", Scope.READ),
    ("/wxbot/webhook", Scope.READ),
)
ADMINISTRATION: Final = ("/wxbot/config", "/wxbot/assistant", "/wxbot/webhook/{id}/resend")


@lru_cache
def scopes_for(method: str, route: str) -> frozenset[Scope]:
    """Return the scopes of which a key needs one to call a route (given as its pattern)."""
    if route.startswith(ADMINISTRATION):
        return frozenset({Scope.ADMIN})
    area = next((scope for begin, scope in AREAS if route.startswith(begin)), Scope.ADMIN)
    return frozenset({area, Scope.READ}) if method in READ and area is not Scope.ADMIN else frozenset({area})


class ApiKeys:
    """The configured keys. Without any, every caller from the allowed networks may do everything."""

    def __init__(self, keys: Sequence[str | ApiKey], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._keys: list[_Key] = []
        self.configure(keys)

    def configure(self, keys: Sequence[str | ApiKey]) -> None:
        """Replace the keys; the call counts of unchanged keys are kept."""
        earlier_calls = {key.digest: key.calls for key in self._keys}
        new_keys = [_Key(key) for key in keys]
        for key in new_keys:
            key.calls = earlier_calls.get(key.digest, key.calls)
        self._keys = new_keys

    def check(self, request: web.Request, client: str, required: Collection[Scope]) -> str:
        """Return the name of the caller's key ("" if it has none).

        Raises BadKey, OutsideNetwork or TooManyRequests.
        """
        if not self._keys:
            return ""
        key = self._presented_key(request)
        if key is None:
            raise BadKey
        if not key.allows_address(client):
            raise OutsideNetwork(f"key {key.name}: from {client}")
        if not key.scopes.intersection(required):
            raise OutsideNetwork(f"key {key.name} lacks the scope")
        wait = key.acquire(self._clock())
        if wait > 0:
            raise TooManyRequests(f"key {key.name}", retry_after=wait)
        return key.name

    def _presented_key(self, request: web.Request) -> _Key | None:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        digest = _digest(credentials.strip())
        # Compare all keys, as digests of equal length, so that the time taken reveals nothing about them.
        matches = [key for key in self._keys if hmac.compare_digest(digest, key.digest)]
        return matches[0] if matches else None


class _Key:
    def __init__(self, key: str | ApiKey) -> None:
        limited = key if isinstance(key, ApiKey) else None
        self.name = limited.name if limited else ""
        self.digest = _digest(limited.key if limited else str(key))
        self.scopes = frozenset(limited.scopes if limited else Scope)
        self.calls: deque[float] = deque()
        self._per_minute = limited.per_minute if limited else 0
        self._networks = [ip_network(network) for network in limited.networks] if limited else []

    def allows_address(self, client: str) -> bool:
        """Whether the key may be used from this address."""
        return not self._networks or any(ip_address(client) in network for network in self._networks)

    def acquire(self, now: float) -> float:
        """Count a call and return 0, or return the seconds until the next one is allowed."""
        if not self._per_minute:
            return 0.0
        calls = self.calls
        while calls and not now - MINUTE < calls[0] <= now:
            calls.popleft()
        if len(calls) >= self._per_minute:
            return calls[-self._per_minute] + MINUTE - now
        calls.append(now)
        return 0.0


def _digest(key: str) -> bytes:
    return sha256(key.encode(errors="surrogateescape")).digest()
