"""Messages: send, and read the state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from api.app_keys import CONTAINER
from api.body import exactly_one, field, line, lines, number, read_large_object, rejected, text, without_nulls
from api.content import KINDS, read_content
from api.responses import json_response
from errors import InvalidParameter
from models.durable import WorkState
from models.row_id import MAX_ROW_ID
from services.messaging.body_type import BodyType
from services.outreach.outbound_requests import MessageRequest

PATH = "/wxbot/message"


async def send(request: web.Request) -> web.Response:
    """POST /wxbot/message: 202 once the message is stored. A repeated Idempotency-Key gets the same response."""
    container = request.app[CONTAINER]
    body = without_nulls(await read_large_object(request), *KINDS)
    message_request = _message_request(body)
    key = idempotency_key(request, "rest")
    container.accounts.get(message_request.account)
    content = await read_content(body, container.attachments)
    if content["type"] != BodyType.TEXT:
        message_request = replace(message_request, body=content)
    message_id = await container.outbound_requests.submit(message_request, key)
    answer = {"message": {"id": message_id, "state": WorkState.QUEUED.value}}
    return json_response(answer, 202, {"Location": f"{PATH}/{message_id}"})


def idempotency_key(request: web.Request, prefix: str) -> str | None:
    """Return the Idempotency-Key header with a prefix, if given."""
    key = request.headers.get("Idempotency-Key")
    return None if key is None else f"{prefix}:{line('Idempotency-Key', key)}"


def _message_request(body: Mapping[str, Any]) -> MessageRequest:
    to = field(body, "to") if exactly_one(body, "to", "qun") == "to" else None
    mentions = tuple(lines(body, "mentions"))
    if mentions and to is not None:
        raise InvalidParameter("mentions: allowed only with qun")
    if mentions and "text" not in body:
        raise InvalidParameter("mentions: allowed only with text")
    content = text(body, "text") if "text" in body else ""
    return MessageRequest(field(body, "assistant"), to, _qun(body) if to is None else None, content, mentions)


def _qun(body: Mapping[str, Any]) -> str | int:
    """Return a code, or a number: groups have a JSON number in our responses."""
    value = body["qun"]
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise rejected("qun", value, "the code of a group, or its number")
    return field(body, "qun")


async def read(request: web.Request) -> web.Response:
    """GET /wxbot/message/{id}."""
    message_id = number(request, maximum=MAX_ROW_ID)
    return json_response(
        {"message": {"id": message_id, "state": await request.app[CONTAINER].outbound_requests.state_of(message_id)}}
    )
