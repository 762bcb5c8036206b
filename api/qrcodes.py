"""QR codes of the assistants as images, cached so that page views do not cause WeChat calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from concurrency import SingleFlight
from errors import WeChatError
from services.accounts.registry import Accounts

log = logging.getLogger(__name__)
CACHE_SECONDS: Final = 600.0  # seconds until a code is fetched again
RETRY_SECONDS: Final = 15.0  # seconds until a failed fetch is retried
TIMEOUT: Final = 3.0  # seconds a visitor waits for the code


@dataclass(frozen=True, slots=True)
class _CachedPicture:
    picture: str
    until: float


class QrCodes:
    """Cache with one image per account."""

    def __init__(self, accounts: Accounts, clock: Callable[[], float]) -> None:
        self._accounts = accounts
        self._clock = clock
        self._cached: dict[str, _CachedPicture] = {}
        self._asking = SingleFlight[str, str]()

    async def picture(self, account: str) -> str:
        """Return the code as a data: URL of a PNG, or "".

        It must be an image: WeChat recognises a long-pressed image but no SVG drawing.
        """
        if not self._accounts.is_online(account):
            return ""
        stored = self._cached.get(account)
        if stored is not None and stored.until > self._clock():
            return stored.picture
        return await self._asking.run(account, lambda: self._ask(account))

    async def _ask(self, account: str) -> str:
        picture = ""
        try:
            async with asyncio.timeout(TIMEOUT):
                picture = _draw(await self._accounts.get(account).self_qr_code())
        except (WeChatError, TimeoutError, ValueError) as error:
            log.warning("%s: could not get the QR code: %s", account, type(error).__name__)
        self._cached[account] = _CachedPicture(picture, self._clock() + (CACHE_SECONDS if picture else RETRY_SECONDS))
        return picture

    async def close(self) -> None:
        """Cancel the running requests."""
        await self._asking.close()


def _draw(text: str) -> str:
    if not text:
        return ""
    import segno  # 1 MB, loaded when a code is drawn

    return str(segno.make(text, error="m", micro=False).png_data_uri(scale=8, border=2))
