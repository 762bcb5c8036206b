"""Access control by network, trusted proxies, Host and Origin."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from config.settings import ApiSettings
from errors import CallerUnknown, OutsideNetwork
from web_hosts import is_served

Networks = Sequence[IPv4Network | IPv6Network]
log = logging.getLogger(__name__)
MAX_REMEMBERED: Final = 4096
MAX_MENTIONED: Final = 20
PROBES: Final = ("/healthz", "/readyz")
_FORWARDED_FOR: Final = re.compile(r'(?:^|[;,])\s*for\s*=\s*("[^"]*"|[^;,\s]+)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """An address, and whether the config allows and trusts it."""

    text: str
    allowed: bool
    trusted: bool


NOWHERE: Final = Address("unknown", allowed=False, trusted=False)


class AccessControl:
    """Checks addresses against the config; results are cached."""

    def __init__(self, settings: ApiSettings) -> None:
        self.configure(settings)

    def configure(self, settings: ApiSettings) -> None:
        """Apply new settings."""
        self._allowed = [ip_network(network, strict=False) for network in settings.allowed_networks]
        self._trusted = [ip_network(network, strict=False) for network in settings.trusted_proxies]
        self._public_host = urlsplit(settings.public_url).netloc
        self._names = {*settings.hosts, urlsplit(settings.public_url).hostname or ""}
        self._known: dict[str, Address] = {}
        self._mentioned: set[str] = set()

    def client(self, request: web.Request) -> Address:
        """Return the client's address: the peer's or, behind trusted proxies, the rightmost forwarded one that is not
        trusted.

        A trusted proxy that sends no forwarded address would make every caller an internal one: raises CallerUnknown,
        except for health checks of a load balancer or container.
        """
        address = self.classify(request.remote or "")
        hops = _hops(request)
        if not address.trusted:
            if hops and address.allowed:
                self._log_once(f"{address.text} sends X-Forwarded-For but is not in api.trusted_proxies: it is ignored")
            return address
        if not hops:
            if request.path in PROBES:
                return address
            self._log_once(f"the trusted proxy {address.text} sends no X-Forwarded-For: its requests are rejected")
            raise CallerUnknown(f"no X-Forwarded-For from the trusted proxy {address.text}")
        for hop in reversed(hops):
            address = self.classify(hop)
            if not address.trusted:
                break
        return address

    def _log_once(self, warning: str) -> None:
        """Log a warning once."""
        if warning not in self._mentioned and len(self._mentioned) < MAX_MENTIONED:
            self._mentioned.add(warning)
            log.warning("%s", warning)

    def check_host(self, request: web.Request) -> None:
        """Raise OutsideNetwork for a Host name that could point to this machine by DNS rebinding."""
        if "Host" in request.headers and not is_served(request.host, self._names):
            raise OutsideNetwork(f"the host name {request.host!r} is not allowed; it can be added to api.hosts")

    def check_page(self, request: web.Request) -> None:
        """Raise OutsideNetwork for requests that a page of another site makes the browser send, by their Origin."""
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] not in (request.host, self._public_host):
            raise OutsideNetwork(f"request from another origin: {origin}")

    def classify(self, text: str) -> Address:
        """Return what the config allows an address."""
        cached = self._known.get(text)
        if cached is not None:
            return cached
        try:
            ip = ip_address(text)
        except ValueError:
            return NOWHERE
        if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        address = Address(str(ip), _within(ip, self._allowed), _within(ip, self._trusted))
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[text] = address
        return address


def _hops(request: web.Request) -> list[str]:
    """Return the forwarded addresses, nearest last, from X-Forwarded-For or else Forwarded (RFC 7239)."""
    listed = ",".join(request.headers.getall("X-Forwarded-For", ()))
    if not listed.strip(" ,"):
        named = _FORWARDED_FOR.findall(",".join(request.headers.getall("Forwarded", ())))
        listed = ",".join(name.strip('"') for name in named)
    return [_without_port(hop.strip()) for hop in listed.split(",") if hop.strip()]


def _within(ip: object, networks: Networks) -> bool:
    return any(ip in network for network in networks)


def _without_port(hop: str) -> str:
    """Remove the port that some proxies append: 1.2.3.4:5678, [::1]:5678."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
