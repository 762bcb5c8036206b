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


async def call_back(request_log: RequestLog, asked: SystemRequest, result: str) -> bool:
    """Send the result of an authorization to its callback URL and tell whether it was accepted. Can be repeated."""
    asked.owed, asked.result, asked.note = "sending", result, ""
    request_log.changed()
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            session.post(asked.callback, json=RESULTS[result], allow_redirects=False) as response,
        ):
            asked.note = f"HTTP {response.status}"
            taken = response.status == 200
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        asked.note, taken = "没有应答" if isinstance(error, TimeoutError) else "连不上", False
    asked.owed = "sent" if taken else "undelivered"
    request_log.changed()
    return taken
