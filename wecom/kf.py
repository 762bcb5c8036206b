"""Sending messages to customers. Each has a message id of ours, so that repeats are recognised."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from errors import WeChatExpired, WeChatNotYet, WeChatUnsupported
from wechat.events import Link, Media, MiniProgram
from wecom import codes, kf_messages
from wecom.api import ApiRefused, WecomApi
from wecom.storage import Allowance, Storage

ON_EVENT: Final = frozenset({"text", "msgmenu"})  # message types that can be sent with a welcome code
OWN_ID: Final = re.compile(r"[0-9a-z]{8}_(\d+)_\d+")
# The image that the API requires for cards: one white pixel.
PIXEL: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8ffff3f0005fe02fe"
    "a735819f0000000049454e44ae426082"
)


def job_of(message_id: str) -> int | None:
    """Return the id of the job to which a message id belongs."""
    match = OWN_ID.fullmatch(message_id)
    return int(match[1]) if match else None


class CustomerService:
    """Sends messages as one customer service account."""

    def __init__(self, api: WecomApi, storage: Storage, open_kfid: str, new_key: Callable[[], str]) -> None:
        self._api = api
        self._storage = storage
        self._open_kfid = open_kfid
        self._new_key = new_key  # generates keys for messages without a job
        self._prefix = ""

    async def text(self, to: str, text: str, choices: Sequence[str], key: str) -> str:
        """Send a text; with choices, as a menu."""
        if choices:
            return await self._say(to, kf_messages.menu(text, list(choices)), key)
        sent = ""
        for part, words in enumerate(kf_messages.text_parts(text)):
            sent = await self._say(to, {"msgtype": "text", "text": {"content": words}}, key, part)
        return sent

    async def media(self, to: str, media: Media, key: str) -> str:
        """Send an image, voice message, video or file."""
        kind = kf_messages.media_kind(media.name)
        media_id = await self._api.upload(kind, media)
        return await self._say(to, {"msgtype": kind, kind: {"media_id": media_id}}, key)

    async def link(self, to: str, link: Link, key: str) -> str:
        """Send a link card."""
        return await self._say(to, kf_messages.link_message(link, await self._thumb()), key)

    async def program(self, to: str, program: MiniProgram, key: str) -> str:
        """Send a mini-program card."""
        return await self._say(to, kf_messages.program_message(program, await self._thumb()), key)

    async def _thumb(self) -> str:
        return await self._api.upload("image", Media("link.png", PIXEL))

    async def _say(self, to: str, message: dict[str, Any], key: str, part: int = 0) -> str:
        if not to or to == self._open_kfid:
            raise WeChatUnsupported("kf/send_msg", "messages can only be sent to customers")
        self._prefix = self._prefix or await self._storage.prefix()
        id = f"{self._prefix}_{key or self._new_key()}_{part}"
        if message["msgtype"] in ON_EVENT and await self._welcomed(to, message, id):
            return id
        allowance = await self._storage.spend(to, id)
        if allowance is Allowance.SILENT:
            raise WeChatExpired("kf/send_msg", codes.FAILURES[4])
        if allowance is Allowance.USED_UP:
            raise WeChatNotYet("kf/send_msg", codes.FAILURES[6])
        body = {"touser": to, "open_kfid": self._open_kfid, "msgid": id, **message}
        try:
            await self._api.call("kf/send_msg", body)
        except ApiRefused as error:
            if not (allowance is Allowance.REPEATED and is_duplicate(error)):
                raise
        except WeChatNotYet as error:
            if error.text == codes.FAILURES[6]:
                await self._storage.used_up(to)
            raise
        return id

    async def _welcomed(self, to: str, message: dict[str, Any], id: str) -> bool:
        """Try to send it as the welcome message, which does not count against the allowance; a code is valid for 20
        seconds.
        """
        code = await self._storage.take_code(to, id)
        if not code:
            return False
        try:
            await self._api.call("kf/send_msg_on_event", {"code": code, "msgid": id, **message})
        except ApiRefused as error:
            return is_duplicate(error)
        return True


def is_duplicate(error: ApiRefused) -> bool:
    """Whether a message was rejected because its id was used before. The docs list no error code for that."""
    return "msgid" in error.text.lower()
