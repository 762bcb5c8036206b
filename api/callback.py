"""Where business systems bring the result a flow waits for; the address ends with its own secret."""

from __future__ import annotations

import re

from aiohttp import web

from api.app_keys import HOUSE
from api.body import read_object
from api.responses import reply
from errors import NotFound

SECRET = re.compile(r"[A-Za-z0-9_-]{8,64}")


async def receive(request: web.Request) -> web.Response:
    """POST /wxbot/callback/{secret}: a JSON object. The first one counts; a repeat is answered alike."""
    secret = request.match_info["secret"]
    if not SECRET.fullmatch(secret):
        raise NotFound("callback")
    flows = request.app[HOUSE].flows
    callback = await flows.callback(secret)  # first: where nobody waits, whatever is sent is unknown
    await flows.called_back(callback, await read_object(request))
    return reply({"callback_response": {"received": "ok"}})
