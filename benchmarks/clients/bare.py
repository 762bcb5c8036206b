"""The baseline: a gRPC client that only answers messages, without storage or directory."""

from __future__ import annotations

import asyncio
import json
import sys

from grpclib.client import Channel
from grpclib.const import Cardinality

from protocol import CALLS
from protocol import puppet_pb2 as pb


async def main(endpoint: str, token: str, directory: str = "") -> None:
    """Connect, read all contacts if asked to, print `ready`, then answer 问N with 答N."""
    host, _, port = endpoint.partition(":")
    channel = Channel(host, int(port))
    metadata = {"authorization": f"Wechaty {token}"}
    slots = asyncio.Semaphore(32)
    tasks = set()

    async def call(name: str, request: object) -> object:
        spec = CALLS[name]
        async with (
            slots,
            channel.request(
                spec.path, Cardinality.UNARY_UNARY, spec.request, spec.response, timeout=30, metadata=metadata
            ) as stream,
        ):
            await stream.send_message(request, end=True)
            return await stream.recv_message()

    async def answer(message_id: str) -> None:
        payload = await call("MessagePayload", pb.Id(id=message_id))
        if payload.text.startswith("问"):
            request = pb.MessageSendTextRequest(conversation_id=payload.talker_id, text=f"答{payload.text[1:]}")
            await call("MessageSendText", request)

    async def read_everybody() -> None:
        people = (await call("ContactList", pb.Empty())).ids
        rooms = (await call("RoomList", pb.Empty())).ids
        await asyncio.gather(*(call("ContactPayload", pb.Id(id=id)) for id in people))
        await asyncio.gather(*(call("RoomPayload", pb.Id(id=id)) for id in rooms))

    spec = CALLS["Event"]
    async with channel.request(
        spec.path, Cardinality.UNARY_STREAM, spec.request, spec.response, metadata=metadata
    ) as stream:
        await stream.send_message(pb.Empty(), end=True)
        async for event in stream:
            if event.type == pb.EVENT_MESSAGE:
                task = asyncio.create_task(answer(json.loads(event.payload)["messageId"]))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            elif event.type == pb.EVENT_LOGIN:
                await call("Start", pb.Empty())
                if directory:
                    await read_everybody()
                print("ready", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
