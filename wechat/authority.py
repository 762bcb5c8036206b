"""Resolves a token to its gateway's address by the authority that issued it.

Protocol of WechatyToken.discover in the npm package wechaty-token: GET {authority}/v0/hosties/{token} responds {"host":
…, "port": …}; 404 and the host 0.0.0.0 mean that the token has no gateway at present.
"""

from __future__ import annotations

import asyncio
import json
from typing import Final
from urllib.parse import quote

import aiohttp

from wechat.problems import Problem, Reason

SECONDS: Final = 10.0
MAX_ANSWER: Final = 64 * 1024  # bytes
NOWHERE: Final = "0.0.0.0"


class AuthorityFailed(Exception):
    """The gateway's address is unknown. `reason` does not contain the token."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


async def resolve(authority: str, token: str) -> str:
    """Return the gateway's host:port; raise AuthorityFailed."""
    try:
        async with (
            asyncio.timeout(SECONDS),
            aiohttp.ClientSession() as session,
            session.get(
                f"{authority.rstrip('/')}/v0/hosties/{quote(token, safe='')}", allow_redirects=False
            ) as response,
        ):
            if response.status == 404:
                raise AuthorityFailed(Reason(Problem.TOKEN_UNKNOWN))
            if response.status in (401, 403):
                raise AuthorityFailed(Reason(Problem.TOKEN_REFUSED))
            if response.status != 200:
                raise AuthorityFailed(Reason(Problem.AUTHORITY_DOWN, f"HTTP {response.status}"))
            return _address(await response.content.read(MAX_ANSWER))
    except TimeoutError:
        raise AuthorityFailed(Reason(Problem.AUTHORITY_DOWN, "timeout")) from None
    except (aiohttp.ClientError, OSError) as error:  # their texts may contain the URL and so the token
        raise AuthorityFailed(Reason(Problem.AUTHORITY_DOWN, type(error).__name__)) from None


def _address(body: bytes) -> str:
    try:
        answer = json.loads(body)
        host, port = answer["host"], int(answer["port"])
    except (ValueError, LookupError, TypeError):
        raise AuthorityFailed(Reason(Problem.AUTHORITY_DOWN, "the response has no host and port")) from None
    if host == NOWHERE:
        raise AuthorityFailed(Reason(Problem.TOKEN_UNKNOWN))
    if not isinstance(host, str) or not host or not 0 < port < 2**16:
        raise AuthorityFailed(Reason(Problem.AUTHORITY_DOWN, "the response has no host and port"))
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
