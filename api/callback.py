"""Callbacks of business systems with the result a flow waits for. The URL contains a secret."""

from __future__ import annotations

import re

from aiohttp import web

from api.app_keys import CONTAINER
from api.body import read_object
from api.responses import json_response
from errors import NotFound

SECRET = re.compile(r"[A-Za-z0-9_-]{8,64}")


async def receive(request: web.Request) -> web.Response:
    """POST /wxbot/callback/{secret}: store the JSON object for the flow. Repeats are acknowledged and ignored."""
    secret = request.match_info["secret"]
    if not SECRET.fullmatch(secret):
        raise NotFound("callback")
    runs = request.app[CONTAINER].flow_runs
    callback = await runs.callback(secret)  # before the body is read: an unknown secret is 404 whatever is sent
    await runs.receive_callback(callback, await read_object(request))
    return json_response({"callback_response": {"received": "ok"}})
