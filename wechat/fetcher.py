"""Downloads files from URLs given by a gateway, without exposing the private network to it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Mapping
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from errors import WeChatRefused, WeChatUnknown
from wechat.received_file import ReceivedFile

SECONDS: Final = 60.0
MAX_REDIRECTS: Final = 3  # within one host; to another host none is followed
HEADERS: Final = frozenset({"accept", "cookie", "referer", "user-agent"})  # headers given by a gateway that are sent
REDIRECTS: Final = (301, 302, 303, 307, 308)
# Addresses that embed another one: NAT64 and 6to4.
EMBEDDING_NETWORKS: Final = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")))


class PrivateAddress(OSError):
    """A host name resolves to an address that is not public."""


class PublicResolver(AbstractResolver):
    """Resolver that returns public addresses only. The checked address is the one that is connected to."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host name; raise PrivateAddress if one of them is not public."""
        addresses = await self._resolver.resolve(host, port, family)
        if not all(is_public(address["host"]) for address in addresses):
            raise PrivateAddress(f"{host} has a private address")
        return addresses

    async def close(self) -> None:
        """Do nothing: nothing is open."""


def is_public(address: str) -> bool:
    """Whether an IP address is public."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if any(ip in network for network in EMBEDDING_NETWORKS):
            return False
    return ip.is_global and not ip.is_multicast


async def fetch(address: str, headers: Any, target: ReceivedFile, private_hosts: Collection[str] = ()) -> None:
    """Return the content at an address that a gateway chose.

    Sends the headers that a download needs, to one host; a private address is allowed only for hosts that are named.
    """
    url = _usable(address)
    allowed = url.host in private_hosts
    if not allowed and _is_private_literal(url.host or ""):
        raise WeChatRefused("file", "its address is a private one")
    fields = headers if isinstance(headers, Mapping) else {}
    sent = {str(name): str(value) for name, value in fields.items() if str(name).lower() in HEADERS}
    connector = aiohttp.TCPConnector(resolver=None if allowed else PublicResolver())
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            await _follow(session, url, sent, target)
    except (aiohttp.ClientError, TimeoutError) as error:
        if isinstance(error.__cause__, PrivateAddress):
            raise WeChatRefused("file", "its address is a private one") from None
        raise WeChatUnknown("file", f"its address could not be read ({type(error).__name__})") from None


async def _follow(session: aiohttp.ClientSession, url: URL, headers: dict[str, str], target: ReceivedFile) -> None:
    for _ in range(MAX_REDIRECTS + 1):
        async with session.get(url, headers=headers, allow_redirects=False) as answer:
            if answer.status not in REDIRECTS:
                return await _read(answer, target)
            location = url.join(URL(answer.headers.get("Location", "")))
        if location.origin() != url.origin():
            raise WeChatRefused("file", "its address leads to another host")
        url = location
    raise WeChatRefused("file", f"its address leads on more than {MAX_REDIRECTS} times")


async def _read(answer: aiohttp.ClientResponse, target: ReceivedFile) -> None:
    if answer.status != 200:
        raise WeChatRefused("file", f"its address answered {answer.status}")
    async for chunk in answer.content.iter_chunked(64 * 1024):
        await target.write(chunk)


def _usable(address: str) -> URL:
    url = URL(address)
    if url.scheme not in ("http", "https") or not url.host:
        raise WeChatRefused("file", "its address is no web address")
    return url


def _is_private_literal(host: str) -> bool:
    """Whether the host is a private IP address: aiohttp does not resolve those."""
    try:
        return not is_public(host)
    except ValueError:
        return False
