"""Groups over HTTP: asked for, and looked up."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from api.app_keys import HOUSE, caller
from api.body import field, line, number, read_object
from api.responses import iso, reply
from app.container import Container
from errors import NotFound
from models.groups import Qun


async def create(request: web.Request) -> web.Response:
    """POST /wxbot/qun 请求建群: 201 for the call that made it, 200 for every other."""
    container = request.app[HOUSE]
    body = await read_object(request)
    code, owner, assistant = (field(body, name) for name in ("code", "owner", "assistant"))
    qun, made = await container.groups.create(code, owner, assistant, caller(request))
    url = container.groups.url(qun)
    answer = {"qun_create_response": {"url": url}}
    return reply(answer, 201, {"Location": url}) if made else reply(answer)


async def read(request: web.Request) -> web.Response:
    """GET /wxbot/qun/{number}."""
    container = request.app[HOUSE]
    return _shown(container, container.groups.by_number(number(request, "number")))


async def find(request: web.Request) -> web.Response:
    """GET /wxbot/qun?code=…"""
    container = request.app[HOUSE]
    return _shown(container, container.groups.by_code(line("code", request.query.get("code"))))


def members_of(container: Container, qun: Qun) -> int:
    """How many people WeChat shows in the group; 0 while its assistant is not configured any more."""
    return container.groups.member_count(qun) if qun.account in container.accounts.names() else 0


def capacity_of(container: Container, qun: Qun) -> int:
    """How many people its rooms can hold together."""
    return container.config.groups.capacity * max(1, len(container.groups.rooms(qun)))


def _shown(container: Container, qun: Qun | None) -> web.Response:
    if qun is None:
        raise NotFound
    shown: dict[str, Any] = {
        "number": qun.number,
        "code": qun.code,
        "topic": qun.topic,
        "owner": qun.owner,
        "assistant": qun.account,
        "url": container.groups.url(qun),
        "token": qun.token,
        "state": qun.state,
        "members": members_of(container, qun),
        "capacity": capacity_of(container, qun),
        "created_at": iso(qun.created_at),
    }
    return reply({"qun": shown})
