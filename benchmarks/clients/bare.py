"""The baseline: a gRPC client that only answers messages, without storage or directory."""

from __future__ import annotations

import asyncio
import json
import sys

from grpclib.client import Channel
from grpclib.const import Cardinality

from protocol import CALLS
from protocol import puppet_pb2 as pb


class BareClient:
    """Answers 问N with 答N."""

    def __init__(self, channel: Channel, token: str) -> None:
        self.channel = channel
        self.metadata = {"authorization": f"Wechaty {token}"}
        self.slots = asyncio.Semaphore(32)
        self.tasks: set[asyncio.Task[None]] = set()

    async def call(self, name: str, request: object) -> object:
        """Call a method of the gateway, at most 32 at a time."""
        spec = CALLS[name]
        how = {"timeout": 30, "metadata": self.metadata}
        async with (
            self.slots,
            self.channel.request(spec.path, Cardinality.UNARY_UNARY, spec.request, spec.response, **how) as stream,
        ):
            await stream.send_message(request, end=True)
            return await stream.recv_message()

    async def read_directory(self) -> None:
        """Read every contact and group once."""
        people = (await self.call("ContactList", pb.Empty())).ids
        rooms = (await self.call("RoomList", pb.Empty())).ids
        await asyncio.gather(*(self.call("ContactPayload", pb.Id(id=id)) for id in people))
        await asyncio.gather(*(self.call("RoomPayload", pb.Id(id=id)) for id in rooms))

    async def follow_events(self, *, reads_directory: bool) -> None:
        """Start at the login event, print `ready`, and answer every message."""
        spec = CALLS["Event"]
        async with self.channel.request(
            spec.path, Cardinality.UNARY_STREAM, spec.request, spec.response, metadata=self.metadata
        ) as stream:
            await stream.send_message(pb.Empty(), end=True)
            async for event in stream:
                if event.type == pb.EVENT_MESSAGE:
                    task = asyncio.create_task(self._answer(json.loads(event.payload)["messageId"]))
                    self.tasks.add(task)
                    task.add_done_callback(self.tasks.discard)
                elif event.type == pb.EVENT_LOGIN:
                    await self.call("Start", pb.Empty())
                    if reads_directory:
                        await self.read_directory()
                    print("ready", flush=True)

    async def _answer(self, message_id: str) -> None:
        payload = await self.call("MessagePayload", pb.Id(id=message_id))
        if payload.text.startswith("问"):
            request = pb.MessageSendTextRequest(conversation_id=payload.talker_id, text=f"答{payload.text[1:]}")
            await self.call("MessageSendText", request)


async def main(endpoint: str, token: str, directory: str = "") -> None:
    """Connect, and read all contacts first if `directory` is given."""
    host, _, port = endpoint.partition(":")
    await BareClient(Channel(host, int(port)), token).follow_events(reads_directory=bool(directory))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
