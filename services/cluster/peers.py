"""HTTP client of the other processes, and lookup of the holder of an account."""

from __future__ import annotations

import hmac
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from sqlmodel import Session, select

from models.cluster import AccountLease, Member
from models.db import Store
from services.cluster.parts import ClusterParts

SECRET_HEADER: Final = "X-Wxbot-Cluster"
CACHE_SECONDS: Final = 0.5  # seconds for which a holder that was looked up is cached
STAFF_PATH: Final = "/cluster/staff"
CONNECT_SECONDS: Final = 2.0
GET_SECONDS: Final = 2.0
MAX_CONNECTIONS: Final = 100  # to one process


class Unreachable(Exception):
    """A process did not respond. `sent`: whether it may have started to process the request."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class PeerResponse:
    """The response of a process."""

    status: int
    headers: Mapping[str, str]
    cookies: Collection[str]  # Set-Cookie, of which there may be several
    body: bytes


class Peers:
    """Looks up holders and calls them. The session is opened on first use."""

    def __init__(self, parts: ClusterParts, store: Store) -> None:
        self._parts = parts
        self._store = store
        self._session: aiohttp.ClientSession | None = None
        self._holders: dict[str, tuple[float, str]] = {}  # account -> when it was looked up, address

    # ---- holders ----

    @property
    def own_address(self) -> str:
        """The address of this process."""
        return self._parts.address

    def is_member(self, secret: str) -> bool:
        """Whether this is the cluster's secret."""
        return bool(self._parts.secret) and hmac.compare_digest(secret.encode(), self._parts.secret.encode())

    async def holder(self, account: str, *, fresh: bool = False) -> str | None:
        """Return the address of an account's holder: "" if it has none, None if there is no such account."""
        stored = self._holders.get(account)
        if stored is not None and not fresh and time.monotonic() - stored[0] < CACHE_SECONDS:
            return stored[1]
        address = await self._store.read(lambda s: _holder(s, account))
        if address:
            self._holders[account] = (time.monotonic(), address)
        else:
            self._holders.pop(account, None)
        return address

    async def all_holders(self) -> dict[str, str]:
        """Return the address of the holder of every account, "" if it has none."""
        return await self._store.read(_holders)

    # ---- requests ----

    async def is_staff(self, account: str, contact_id: str) -> bool:
        """Whether a person is in the staff room of an account of another process."""
        holder = await self.holder(account)
        if holder in (None, "", self._parts.address):
            return False
        answer = await self.get_json(holder or "", STAFF_PATH, {"account": account, "contact": contact_id})
        return bool(answer and answer["staff"])

    async def get_json(self, address: str, path: str, params: Mapping[str, str] | None = None) -> Any:
        """Return the JSON of a process, or None if it does not respond in time."""
        try:
            async with self._open().get(
                address + path,
                params=params,
                headers={SECRET_HEADER: self._parts.secret},
                timeout=aiohttp.ClientTimeout(GET_SECONDS),
            ) as response:
                return await response.json() if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    async def send(
        self, address: str, method: str, path: str, headers: Mapping[str, str], body: bytes, seconds: float
    ) -> PeerResponse:
        """Forward a request to a process; raise Unreachable."""
        timeout = aiohttp.ClientTimeout(seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with self._open().request(
                method,
                address + path,
                data=body or None,
                headers={**headers, SECRET_HEADER: self._parts.secret},
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                cookies = response.headers.getall("Set-Cookie", ())
                return PeerResponse(response.status, response.headers, cookies, await response.read())
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreachable(type(error).__name__, sent=False) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(type(error).__name__, sent=True) from error

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, limit_per_host=MAX_CONNECTIONS)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            )
        return self._session


def _holder(session: Session, account: str) -> str | None:
    row = session.get(AccountLease, account)
    if row is None:
        return None
    member = session.get(Member, row.member) if row.member else None
    return member.advertise if member else ""


def _holders(session: Session) -> dict[str, str]:
    members = {row.id: row.advertise for row in session.exec(select(Member)).all()}
    rows = session.exec(select(AccountLease).where(AccountLease.account != "")).all()
    return {row.account: members.get(row.member or "", "") for row in rows}
