"""Sending messages to customers. Each has a message id of ours, so that repeats are recognised."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Final

from errors import WeChatExpired, WeChatNotYet, WeChatTaken, WeChatUnsupported
from wechat.entities import Link, Media, MiniProgram
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


class SessionState(IntEnum):
    """States of a customer's session (document 94669)."""

    NEW = 0
    ASSISTANT = 1
    QUEUED = 2
    WITH_STAFF = 3  # in their own client; the API cannot send
    ENDED = 4  # also if there was none yet


def job_of(message_id: str) -> int | None:
    """Return the id of the job to which a message id belongs."""
    match = OWN_ID.fullmatch(message_id)
    return int(match[1]) if match else None


class KfSender:
    """Sends messages as one customer service account."""

    def __init__(self, api: WecomApi, storage: Storage, open_kfid: str, clock: Callable[[], float]) -> None:
        self._api = api
        self._storage = storage
        self._open_kfid = open_kfid
        self._clock = clock
        self._numbers = itertools.count(int(clock() * 1000))  # keys of messages without a job
        self._prefix = ""

    async def text(self, to: str, text: str, choices: Sequence[str], key: str) -> str:
        """Send a text; with choices, as a menu."""
        if choices:
            return await self._send(to, kf_messages.menu(text, list(choices)), key)
        sent = ""
        for part, content in enumerate(kf_messages.text_parts(text)):
            sent = await self._send(to, {"msgtype": "text", "text": {"content": content}}, key, part)
        return sent

    async def media(self, to: str, media: Media, key: str) -> str:
        """Send an image, voice message, video or file."""
        kind = kf_messages.media_kind(media)
        media_id = await self._api.upload(kind, media)
        return await self._send(to, {"msgtype": kind, kind: {"media_id": media_id}}, key)

    async def link(self, to: str, link: Link, key: str) -> str:
        """Send a link card."""
        return await self._send(to, kf_messages.link_message(link, await self._thumbnail()), key)

    async def program(self, to: str, program: MiniProgram, key: str) -> str:
        """Send a mini-program card."""
        return await self._send(to, kf_messages.program_message(program, await self._thumbnail()), key)

    # ---- sessions ----

    async def hand_over(self, contact_id: str) -> None:
        """Put a customer into the queue of the account's staff, unless they are in it or served already."""
        if await self._session_state(contact_id) not in (SessionState.QUEUED, SessionState.WITH_STAFF):
            await self._change_session(contact_id, SessionState.QUEUED)

    async def end_session(self, contact_id: str) -> None:
        """End a customer's session, unless it has ended. The next message, within 20 seconds, is sent by its code."""
        if await self._session_state(contact_id) is SessionState.ENDED:
            return
        code = await self._change_session(contact_id, SessionState.ENDED)
        if code:
            await self._storage.store_code(contact_id, code, self._clock() + kf_messages.CODE_SECONDS)

    async def _session_state(self, contact_id: str) -> SessionState:
        body = {"open_kfid": self._open_kfid, "external_userid": contact_id}
        return SessionState(int((await self._api.call("kf/service_state/get", body))["service_state"]))

    async def _change_session(self, contact_id: str, state: SessionState) -> str:
        """Change the state of a session; return the code for a message about it, or ""."""
        body = {"open_kfid": self._open_kfid, "external_userid": contact_id, "service_state": int(state)}
        return str((await self._api.call("kf/service_state/trans", body)).get("msg_code") or "")

    # ---- sending ----

    async def remaining(self, to: str, key: str) -> int:
        """Return how many messages the customer's allowance still has, the one of this key included."""
        return await self._storage.remaining(to, await self._id(key, 0))

    async def _id(self, key: str, part: int) -> str:
        self._prefix = self._prefix or await self._storage.prefix()
        return f"{self._prefix}_{key}_{part}"

    async def _thumbnail(self) -> str:
        return await self._api.upload("image", Media("link.png", PIXEL))

    async def _send(self, to: str, message: dict[str, Any], key: str, part: int = 0) -> str:
        if not to or to == self._open_kfid:
            raise WeChatUnsupported("kf/send_msg", "messages can only be sent to customers")
        id = await self._id(key or str(next(self._numbers)), part)
        if message["msgtype"] in ON_EVENT and await self._send_by_code(to, message, id):
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
                await self._storage.mark_exhausted(to)
            raise
        return id

    async def _send_by_code(self, to: str, message: dict[str, Any], id: str) -> bool:
        """Try to send the message with the code of a welcome or of a session's end, which is valid for 20 seconds.
        Such a message does not count against the allowance."""
        code = await self._storage.take_code(to, id)
        if code is None:
            return False
        try:
            await self._api.call("kf/send_msg_on_event", {"code": code.value, "msgid": id, **message})
        except ApiRefused as error:
            # A code works once: if this message was tried with it before, that attempt most likely succeeded.
            return is_duplicate(error) or code.tried
        except WeChatTaken:  # the customer has written again: the code of a session's end is no longer needed
            return False
        return True


def is_duplicate(error: ApiRefused) -> bool:
    """Whether a message was rejected because its id was used before. The docs list no error code for that."""
    return "msgid" in error.text.lower()
