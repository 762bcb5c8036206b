"""Reads and stores the payloads of waiting events, because a restarted gateway forgets its messages."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable
from itertools import takewhile
from typing import Any, Final

from protocol import CALLS
from protocol import puppet_pb2 as pb
from protocol.downloads import read_until_written
from relay.http2 import GatewayLost, TooManyCalls
from relay.journal import Journal, Row
from relay.rpc import MessageDecoder, frame, path_of
from relay.upstream import Upstream

log = logging.getLogger(__name__)

WAITING_SECONDS: Final = 1.0  # seconds after which an event counts as waiting
CONCURRENT: Final = 8
BATCH: Final = 64
MAX_PAYLOAD_BYTES: Final = 4 * 1024 * 1024  # bytes
SECONDS: Final = 30.0
UUID: Final = 7  # FileBox type whose content must be downloaded from the gateway

# wechaty.puppet.MessageType, and the calls that return the content of such messages
ATTACHMENT, AUDIO, CONTACT, IMAGE, LOCATION, MINI_PROGRAM, URL, VIDEO = 1, 2, 3, 6, 8, 9, 14, 15
PARTS: Final[dict[int, str]] = {
    CONTACT: "MessageContact",
    LOCATION: "MessageLocation",
    MINI_PROGRAM: "MessageMiniProgram",
    URL: "MessageUrl",
}
FILES: Final = frozenset({ATTACHMENT, AUDIO, IMAGE, VIDEO})
HD: Final = 2
KEPT_CALLS: Final = frozenset(
    path_of(name)
    for name in (
        "MessagePayload", "FriendshipPayload", "RoomInvitationPayload", "MessageFile", "MessageImage", "Download",
        *PARTS.values(),
    )
)  # fmt: skip


class PayloadKeeper:
    """Stores the payloads of one gateway's waiting events."""

    def __init__(self, journal: Journal, upstream: Upstream, media_bytes: int) -> None:
        self._journal = journal
        self._upstream = upstream
        self._media_bytes = media_bytes
        self._slots = asyncio.Semaphore(CONCURRENT)
        self._at = 0  # the events up to this number need no more work
        self.last_delivered = 0  # the client was sent the events up to this number

    def client_lost(self) -> None:
        """The client's event stream has ended: the events that it has not acknowledged wait again."""
        self._at = self.last_delivered = 0

    async def run(self) -> None:
        """Process the journal with a delay, until cancelled."""
        while True:
            at = self._at = max(self._at, self.last_delivered, self._journal.acknowledged)
            rows = await self._journal.read(at, BATCH) if at < self._journal.stored else []
            due = list(takewhile(self._is_waiting, rows))
            if not due or self._upstream.connection is None:
                await asyncio.sleep(WAITING_SECONDS / 2)
                continue
            done = await asyncio.gather(*(self._store_payload(number, body) for number, _, body in due))
            if not all(done):  # they are read again
                await asyncio.sleep(WAITING_SECONDS / 2)
            elif self._at == at:  # the client was not lost meanwhile
                self._at = due[-1][0]

    def _is_waiting(self, row: Row) -> bool:
        """Whether an event was not taken at once."""
        return self._journal.clock.now - row[1] > WAITING_SECONDS

    async def _store_payload(self, number: int, body: bytes) -> bool:
        """Read and store the payload of an event; return False if the gateway could not be asked."""
        try:
            async with self._slots:
                await self._read(number, body)
        except (GatewayLost, TooManyCalls):
            return False
        except Exception as error:  # noqa: BLE001 - a gateway may send anything; the other events must be processed
            log.info("the payload of event %d is not stored: %s", number, type(error).__name__)
        return True

    async def _read(self, number: int, body: bytes) -> None:
        event = pb.EventResponse.FromString(body)
        data = json.loads(event.payload)
        if event.type == pb.EVENT_FRIENDSHIP:
            request = pb.FriendshipPayloadRequest(id=data["friendshipId"]).SerializeToString()
            await self._ask(number, "FriendshipPayload", request)
        elif event.type == pb.EVENT_ROOM_INVITE:
            request = pb.RoomInvitationPayloadRequest(id=data["roomInvitationId"]).SerializeToString()
            await self._ask(number, "RoomInvitationPayload", request)
        elif event.type == pb.EVENT_MESSAGE:
            await self._message(number, str(data["messageId"]))

    async def _message(self, number: int, id: str) -> None:
        request = pb.Id(id=id).SerializeToString()
        (answer,) = await self._ask(number, "MessagePayload", request)
        kind = pb.MessagePayloadResponse.FromString(answer).type
        if kind in PARTS:
            await self._ask(number, PARTS[kind], request)
        elif kind in FILES and self._media_bytes:
            await self._file(number, "MessageFile", request)
            if kind == IMAGE:
                hd = pb.MessageImageRequest(id=id, type=HD).SerializeToString()
                await self._file(number, "MessageImage", hd)

    async def _file(self, number: int, name: str, request: bytes) -> None:
        (answer,) = await self._ask(number, name, request)
        box: Any = json.loads(pb.FileBoxResponse.FromString(answer).file_box)
        if isinstance(box, dict) and (box.get("type") or box.get("boxType")) == UUID:
            await self._ask(number, "Download", pb.Id(id=str(box["uuid"])).SerializeToString())

    async def _ask(self, number: int, name: str, request: bytes) -> list[bytes]:
        path = path_of(name)
        if self._journal.responses.may_have(path, request):
            stored = await self._journal.response(path, request, number)
            if stored is not None:
                return MessageDecoder().feed(stored)
        if CALLS[name].streams_out:
            limit = self._media_bytes + self._media_bytes // 16  # including the overhead of each chunk
        else:
            limit = self._media_bytes * 2 if name in ("MessageFile", "MessageImage") else MAX_PAYLOAD_BYTES  # base64

        def ask() -> Awaitable[list[bytes]]:
            return self._upstream.ask(name, request, SECONDS, limit)

        answers = await (read_until_written(ask, lambda chunks: not any(chunks)) if name == "Download" else ask())
        await self._journal.store_response(path, request, number, b"".join(map(frame, answers)))
        return answers
