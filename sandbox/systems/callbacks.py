"""The callback of HiPOS 云, triggered by a button on the page."""

from __future__ import annotations

from typing import Any, Final

import aiohttp

from sandbox.systems.request_log import RequestLog, SystemRequest

RESULTS: Final[dict[str, dict[str, Any]]] = {
    "success": {"status": "success"},
    "failed": {"status": "failed", "message": "门店拒绝了授权"},
}
TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


async def call_back(request_log: RequestLog, request: SystemRequest, result: str) -> bool:
    """Send the result of an authorization to its callback URL and tell whether it was accepted. Can be repeated."""
    request.owed, request.result, request.note = "sending", result, ""
    request_log.changed()
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            session.post(request.callback, json=RESULTS[result], allow_redirects=False) as response,
        ):
            request.note = f"HTTP {response.status}"
            accepted = response.status == 200
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        request.note, accepted = "没有应答" if isinstance(error, TimeoutError) else "连不上", False
    request.owed = "sent" if accepted else "undelivered"
    request_log.changed()
    return accepted
