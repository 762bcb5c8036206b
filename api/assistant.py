"""Assistants: list, add, change, remove."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from api.app_keys import ASSISTANTS, caller
from api.body import line, read_object
from api.responses import json_response
from app.assistants import Assistants, AssistantStatus
from config.error_messages import without_value
from config.section import FILE
from config.settings import AssistantSettings
from errors import InvalidParameter

PATH = "/wxbot/assistant"


async def find(request: web.Request) -> web.Response:
    """GET /wxbot/assistant."""
    return json_response({"assistants": [_to_json(status) for status in await _assistants(request).statuses()]})


async def put(request: web.Request) -> web.Response:
    """POST /wxbot/assistant: 201 if added, 200 if changed. Stored in the database."""
    settings = read_settings(await read_object(request))
    status, new = await _assistants(request).put(settings, caller(request))
    headers = {"Location": f"{PATH}/{settings.account}"} if new else None
    return json_response({"assistant": _to_json(status)}, 201 if new else 200, headers)


def read_settings(body: dict[str, Any]) -> AssistantSettings:
    """Return the settings of an assistant in a request's body; raise InvalidParameter."""
    line("account", body.get("account"))
    if "tls_ca" in body or any(text.startswith(FILE) for text in _texts(body)):
        raise InvalidParameter(f"tls_ca, {FILE}: files of this machine are not allowed")
    try:
        return AssistantSettings.model_validate(body)
    except ValidationError as error:
        raise InvalidParameter(without_value(error, body)) from None


async def remove(request: web.Request) -> web.Response:
    """DELETE /wxbot/assistant/{account}: 204."""
    await _assistants(request).remove(request.match_info["account"], caller(request))
    return web.Response(status=204)


def _texts(value: Any) -> Iterator[str]:
    """Yield all strings of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _assistants(request: web.Request) -> Assistants:
    return request.app[ASSISTANTS]


def _to_json(status: AssistantStatus) -> dict[str, Any]:
    data = asdict(status)
    if not status.qr_code:
        del data["qr_code"]
    return data
