"""Configuration reload."""

from __future__ import annotations

from aiohttp import web

from api.app_keys import CONTAINER, caller
from api.responses import json_response
from config import ConfigError
from config.language import in_language
from errors import InvalidParameter


async def reload(request: web.Request) -> web.Response:
    """POST /wxbot/config/reload: list the changed keys and those that need a restart. An invalid config changes
    nothing.
    """
    container = request.app[CONTAINER]
    try:
        result = await container.reloader.reload(caller(request))
    except ConfigError as error:  # the message is meant for operators and contains no secrets
        message = f"{InvalidParameter.message}{in_language(str(error), container.config.language)}"
        return json_response({"error": {"code": InvalidParameter.code, "message": message}}, InvalidParameter.status)
    return json_response({"changed": result.changed, "restart": result.restart})
