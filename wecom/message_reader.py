"""Reads the messages of a customer service account page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wecom import kf_messages
from wecom.api import ApiRefused, WecomApi
from wecom.storage import Storage

PAGE: Final = 1000  # messages per page
AMR, SILK = 0, 1  # formats of voice messages
TOKEN_SECONDS: Final = 600.0  # validity of a callback's token


class MessageReader:
    """Reads new messages; each page is stored together with its cursor.

    `transcribes`: whether voice is read as text; then it comes as Silk, which is converted for the server. More
    players know AMR.
    """

    def __init__(
        self,
        account: str,
        open_kfid: str,
        api: WecomApi,
        storage: Storage,
        clock: Callable[[], float],
        transcribes: Callable[[], bool],
    ) -> None:
        self._account = account
        self._open_kfid = open_kfid
        self._api = api
        self._storage = storage
        self._clock = clock
        self._transcribes = transcribes
        self._token: tuple[str, float] = ("", 0.0)  # of the last callback, and until when it is valid

    def use_token(self, token: str) -> None:
        """Use the token of a callback, with which the API has higher limits."""
        self._token = token, self._clock() + TOKEN_SECONDS

    async def read(self) -> None:
        """Read all new messages."""
        cursor, has_more = await self._storage.cursor(), True
        while has_more:
            voice_format = SILK if self._transcribes() else AMR
            body: dict[str, Any] = {"open_kfid": self._open_kfid, "limit": PAGE, "voice_format": voice_format}
            token, until = self._token
            if token and until > self._clock():
                body["token"] = token
            if cursor:
                body["cursor"] = cursor
            try:
                page = await self._api.call("kf/sync_msg", body)
            except ApiRefused:
                if "token" not in body:
                    raise
                self._token = "", 0.0  # it may be the cause, and is optional
                continue
            messages = [m for m in page.get("msg_list") or () if isinstance(m, dict)]
            raws = [raw for m in messages if (raw := kf_messages.raw_event(self._account, m)) is not None]
            incoming = [message for raw in raws if (message := kf_messages.incoming_message(raw.data)) is not None]
            new_cursor = str(page.get("next_cursor") or cursor)
            has_more = bool(page.get("has_more")) and new_cursor != cursor
            if raws or new_cursor != cursor:
                await self._storage.store_page(raws, incoming, new_cursor)
            cursor = new_cursor
