"""The REST baseline: an aiohttp handler with a JSON request and response."""

from __future__ import annotations

import sys

from aiohttp import web


async def answer(request: web.Request) -> web.Response:
    """Parse the JSON and respond."""
    body = await request.json()
    return web.json_response({"membership_join_response": {"approved": "ok"}, "n": len(body)})


if __name__ == "__main__":
    app = web.Application()
    app.router.add_post("/", answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
