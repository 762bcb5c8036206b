"""Control API: server-sent events for a person's chats and an assistant's trace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final

from aiohttp import web

from sandbox.control import views
from sandbox.control.parsing import WORLD, query_parameter
from sandbox.world.feed import MAX_QUEUED, Channels, Item

STREAMS: Final = web.AppKey("streams", set[asyncio.Task[Any]])
KEEPALIVE: Final = 15.0
Items = AsyncIterator[Item]


async def end_streams(app: web.Application) -> None:
    """Cancel all streams when the app shuts down."""
    for task in app[STREAMS]:
        task.cancel()


async def get_events(request: web.Request) -> web.StreamResponse:
    """GET /api/events?person=…&trace=ACCOUNT: the person's events as server-sent events.

    With `trace`, the assistant's trace is in the same stream, because browsers limit the connections per host.
    """
    world = request.app[WORLD]
    viewer = world.people.get(query_parameter(request, "person")).id
    sources = [(world.feed, viewer)]
    if request.query.get("trace"):
        sources.append((world.trace.live, world.accounts.get(request.query["trace"]).name))

    async def shown(items: Items) -> Items:
        async for item in items:
            if "type" not in item:
                yield {"type": "trace", **item}
            elif item["type"] == "message":
                msg = world.chats.visible_message(viewer, item["seq"])
                seen = {"message": views.message(world, msg, viewer), "line": views.chat(world, item["chat"], viewer)}
                yield {**item, **seen}
            else:
                yield item

    return await _stream(request, sources, shown)


async def get_trace(request: web.Request) -> web.StreamResponse:
    """GET /api/trace?account=…: events and calls of an assistant, oldest first; live if an event stream is accepted."""
    world = request.app[WORLD]
    name = world.accounts.get(query_parameter(request, "account")).name
    if "text/event-stream" not in request.headers.get("Accept", ""):
        return web.json_response({"trace": world.trace.of(name)})
    return await _stream(request, [(world.trace.live, name)], lambda items: items)


async def _stream(
    request: web.Request,
    sources: Sequence[tuple[Channels, str]],
    shown: Callable[[Items], Items],
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    task = asyncio.current_task()
    assert task is not None
    request.app[STREAMS].add(task)
    try:
        with ExitStack() as stack:
            queue: asyncio.Queue[Item] = asyncio.Queue(MAX_QUEUED)
            for channels, topic in sources:
                stack.enter_context(channels.listen(topic, queue))
            await response.prepare(request)
            await response.write(b": here\n\n")
            async for item in shown(_items(queue, response)):
                await response.write(f"data: {json.dumps(item, ensure_ascii=False)}\n\n".encode())
    except ConnectionResetError:
        pass  # the client has disconnected
    finally:
        request.app[STREAMS].discard(task)
    return response


async def _items(queue: asyncio.Queue[Item], response: web.StreamResponse) -> Items:
    while True:
        try:
            async with asyncio.timeout(KEEPALIVE):
                item = await queue.get()
        except TimeoutError:
            await response.write(b": still here\n\n")
            continue
        yield item


ROUTES: Final = [
    web.get("/api/events", get_events),
    web.get("/api/trace", get_trace),
]
