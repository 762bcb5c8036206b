"""Where a request comes from: allowed networks, trusted proxies, pages of other origins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from config.settings import ApiSettings
from errors import OutsideNetwork

Networks = Sequence[IPv4Network | IPv6Network]
MAX_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Address:
    """An address with what the config says of it."""

    text: str
    allowed: bool
    trusted: bool


NOWHERE: Final = Address("unknown", allowed=False, trusted=False)


class AccessControl:
    """Judges addresses; each is judged once and remembered."""

    def __init__(self, settings: ApiSettings) -> None:
        self.configure(settings)

    def configure(self, settings: ApiSettings) -> None:
        """Judge by these settings from now on."""
        self._allowed = [ip_network(network, strict=False) for network in settings.allowed_networks]
        self._trusted = [ip_network(network, strict=False) for network in settings.trusted_proxies]
        self._public_host = urlsplit(settings.public_url).netloc
        self._known: dict[str, Address] = {}

    def client(self, request: web.Request) -> Address:
        """The caller's address: the peer's, or, behind trusted proxies, the rightmost that is none of them."""
        address = self._judge(request.remote or "")
        if not address.trusted:
            return address
        hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        for hop in reversed(hops):
            if hop.strip():
                address = self._judge(_bare(hop.strip()))
                if not address.trusted:
                    break
        return address

    def check_page(self, request: web.Request) -> None:
        """Refuse what a web page of somebody else's has the browser of a person inside send; browsers name the page's
        origin. OutsideNetwork."""
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] not in (request.host, self._public_host):
            raise OutsideNetwork(f"a page of {origin}")

    def _judge(self, text: str) -> Address:
        known = self._known.get(text)
        if known is not None:
            return known
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


def _within(ip: object, networks: Networks) -> bool:
    return any(ip in network for network in networks)


def _bare(hop: str) -> str:
    """A hop without the port that some proxies write behind it: 1.2.3.4:5678, [::1]:5678."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
