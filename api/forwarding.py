"""Forwards a request to the process that holds its account, and accepts forwarded requests."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

from aiohttp import web
from aiohttp.typedefs import Handler

from api.account_of import FORWARDINGS, Forwarding
from api.app_keys import CLIENT, KEY_NAME
from api.body import RAW_BODY, read_ahead
from app.container import Container
from errors import AssistantOffline, OutsideNetwork
from services.cluster.parts import ClusterParts
from services.cluster.peers import SECRET_HEADER, PeerResponse, Peers, Unreachable

log = logging.getLogger(__name__)
CLIENT_HEADER: Final = "X-Wxbot-Client"
KEY_HEADER: Final = "X-Wxbot-Key"
MISDIRECTED: Final = 421  # response of a process that does not hold the account (Misdirected Request)
SECONDS: Final = 60.0  # seconds a request may take at the holder
POLL_INTERVAL: Final = 1.0  # seconds between checks whether a holder that does not answer is still the holder
PAUSE: Final = 0.1
RETRY_AFTER: Final = 5.0
INTERNAL: Final = "/cluster/"  # only for the other processes
HOP_BY_HOP: Final = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
    | {name.lower() for name in (SECRET_HEADER, CLIENT_HEADER, KEY_HEADER)}
)
NOT_COPIED: Final = HOP_BY_HOP | {"set-cookie", "date", "server"}


class MemberForwarding:
    """Forwards the requests of one process of a cluster."""

    def __init__(self, container: Container, parts: ClusterParts, peers: Peers) -> None:
        self._container = container
        self._parts = parts
        self._peers = peers
        self.forwarded_count = 0

    def admit(self, request: web.Request) -> bool:
        """Whether the request was forwarded, and so already checked; raise OutsideNetwork if the secret is wrong."""
        secret = request.headers.get(SECRET_HEADER)
        if secret is None:
            return False
        if not self._peers.is_member(secret):
            raise OutsideNetwork("not a process of this cluster")
        request[CLIENT] = request.headers.get(CLIENT_HEADER, "unknown")
        request[KEY_NAME] = unquote(request.headers.get(KEY_HEADER, ""))
        return True

    async def handle(
        self, request: web.Request, route: str, handler: Handler, *, is_forwarded: bool
    ) -> web.StreamResponse:
        """Return the response of the local handler or of the account's holder."""
        if route.startswith(INTERNAL) and not is_forwarded:
            raise OutsideNetwork("for the processes of the cluster")
        forwarding = FORWARDINGS.get((request.method, route))
        account = await forwarding.find(request) if forwarding is not None else None
        if forwarding is None or account is None:
            return await handler(request)
        if is_forwarded and not self._is_local(account) and not await self._becomes_local(account):
            return web.Response(status=MISDIRECTED)
        if not is_forwarded and not self._is_local(account):
            return await self._forward(request, account, forwarding) or await handler(request)
        try:
            return await handler(request)
        except Exception as error:
            if self._is_local(account):
                raise
            log.info(
                "%s %s: account %s was released during the request (%s)",
                request.method,
                route,
                account,
                type(error).__name__,
            )
            return await self._retry_at_holder(request, account, forwarding, is_forwarded=is_forwarded)

    async def _retry_at_holder(
        self, request: web.Request, account: str, forwarding: Forwarding, *, is_forwarded: bool
    ) -> web.StreamResponse:
        """Retry a request that failed because its account was released meanwhile."""
        if is_forwarded and forwarding.repeatable:
            return web.Response(status=MISDIRECTED)
        answer = (
            await self._forward(request, account, forwarding) if forwarding.repeatable and not is_forwarded else None
        )
        if answer is None:
            raise AssistantOffline(f"{account} was released", retry_after=RETRY_AFTER)
        return answer

    def _is_local(self, account: str) -> bool:
        return self._container.ownership.holds(account) and account in self._container.accounts.names()

    async def _becomes_local(self, account: str) -> bool:
        """Wait a moment for an account that is being taken over; return whether it is served here."""
        until = time.monotonic() + 2.0
        while self._container.ownership.holds(account) and time.monotonic() < until:
            if self._is_local(account):
                return True
            await asyncio.sleep(PAUSE)
        return False

    async def _forward(self, request: web.Request, account: str, forwarding: Forwarding) -> web.StreamResponse | None:
        body = (
            await read_ahead(request, large=forwarding.large) if request.can_read_body or RAW_BODY in request else b""
        )
        headers = _headers(request)
        until, fresh = time.monotonic() + forwarding.wait_seconds, False
        while True:
            holder = await self._peers.holder(account, fresh=fresh)
            if holder is None or self._is_local(account):
                return None  # no process holds it, so answer here; or this process has taken it since
            if holder not in ("", self._parts.address):
                try:
                    answer = await self._request_holder(holder, account, request, headers, body)
                except Unreachable as error:
                    if error.sent and not forwarding.repeatable:
                        raise AssistantOffline(f"{account}: {error}", retry_after=RETRY_AFTER) from error
                else:
                    if answer.status != MISDIRECTED:
                        self.forwarded_count += 1
                        return _response(answer)
            if time.monotonic() > until:
                if forwarding.without_holder:
                    return None
                raise AssistantOffline(f"{account} has no holder", retry_after=RETRY_AFTER)
            fresh = True
            await asyncio.sleep(PAUSE)

    async def _request_holder(
        self, holder: str, account: str, request: web.Request, headers: Mapping[str, str], body: bytes
    ) -> PeerResponse:
        """Return the holder's response; raise Unreachable if it has not responded and is no longer the holder."""
        path = request.raw_path if request.raw_path.startswith("/") else request.path_qs
        task = asyncio.create_task(self._peers.send(holder, request.method, path, headers, body, SECONDS))
        try:
            while not (await asyncio.wait({task}, timeout=POLL_INTERVAL))[0]:
                if await self._peers.holder(account, fresh=True) != holder:
                    raise Unreachable("its holder has changed", sent=True)
        finally:
            task.cancel()
        return await task


def _headers(request: web.Request) -> dict[str, str]:
    """Return the headers for the holder. A message gets an Idempotency-Key, so that it can be retried."""
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
    headers[CLIENT_HEADER] = request[CLIENT]
    headers[KEY_HEADER] = quote(request.get(KEY_NAME) or "")
    if request.method == "POST" and "Idempotency-Key" not in request.headers:
        headers["Idempotency-Key"] = f"forwarded-{uuid.uuid4().hex}"
    return headers


def _response(answer: PeerResponse) -> web.Response:
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in NOT_COPIED}
    response = web.Response(status=answer.status, body=answer.body, headers=headers)
    for cookie in answer.cookies:
        response.headers.add("Set-Cookie", cookie)
    return response
