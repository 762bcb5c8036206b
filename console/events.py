"""Live changes as server-sent events. After a reconnect, the Last-Event-ID selects what is sent again."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from aiohttp import web

from api.app_keys import CONTAINER
from console.access import visitor_of

KEEPALIVE: Final = 15.0
STREAMS: Final = web.AppKey("console_streams", set[asyncio.Task[object]])


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /console/api/events. The event `reset` means that changes were lost and everything must be loaded again."""
    feed = request.app[CONTAINER].changes
    last_id = request.headers.get("Last-Event-ID") or request.query.get("after", "")
    number_seen = feed.number_of(last_id)
    number = feed.last if number_seen is None else number_seen
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    task = asyncio.current_task()
    assert task is not None
    request.app[STREAMS].add(task)
    try:
        await response.prepare(request)
        first = "reset" if last_id and number_seen is None else "hello"
        await response.write(f"id: {feed.id_of(number)}\nevent: {first}\ndata: {{}}\n\n".encode())
        while await visitor_of(request) is not None:  # ends with the session
            changes = await feed.wait_after(number, KEEPALIVE)
            for change in changes:
                number = change.number
                data = json.dumps({"kind": change.kind, **change.facts}, ensure_ascii=False)
                await response.write(f"id: {feed.id_of(number)}\ndata: {data}\n\n".encode())
            if not changes:
                await response.write(b"event: alive\ndata: {}\n\n")  # pages notice silence, but not comments
    except ConnectionResetError:
        pass  # the client has disconnected
    except asyncio.CancelledError:
        if task in request.app[STREAMS]:
            raise
        await response.write_eof()  # cancelled by `end_streams`: end the response properly
    finally:
        request.app[STREAMS].discard(task)
    return response


async def end_streams(app: web.Application) -> None:
    """End all streams, at shutdown."""
    streams = app[STREAMS]
    for task in list(streams):
        streams.discard(task)
        task.cancel()
