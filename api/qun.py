"""Groups over HTTP: asked for, and looked up."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web

from api.app_keys import HOUSE, caller
from api.body import field, line, number, read_object
from api.query import choice, page, word
from api.responses import iso, listing, reply
from app.container import Container
from errors import NotFound
from models.groups import Membership, MemberState, Qun, QunState
from services.groups.lists import QunFilter, list_members, list_quns


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
    """GET /wxbot/qun?code=… one group; without a code, all of them in pages."""
    container = request.app[HOUSE]
    if "code" in request.query:
        return _shown(container, container.groups.by_code(line("code", request.query["code"])))
    wanted = QunFilter(
        account=word(request, "assistant"),
        state=choice(request, "state", QunState),
        owner=word(request, "owner"),
        tag=word(request, "tag"),
        q=word(request, "q"),
    )
    asked = page(request)
    found = await container.store.read(lambda s: list_quns(s, wanted, asked))
    return listing("quns", found.map(partial(fields, container)))


async def members(request: web.Request) -> web.Response:
    """GET /wxbot/qun/{number}/members: who is in the group; with `state`, who stands elsewhere on the way."""
    container, asked = request.app[HOUSE], page(request)
    state = choice(request, "state", MemberState) or MemberState.JOINED
    qun = container.groups.by_number(number(request, "number"))
    if qun is None:
        raise NotFound
    found = await container.store.read(lambda s: list_members(s, qun.number, state, asked))
    return listing("members", found.map(_member))


def _member(row: Membership) -> dict[str, Any]:
    return {
        "id": row.id,
        "contact_id": row.contact_id,
        "member": row.name,
        "state": row.state,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "expires_at": iso(row.expires_at),
    }


def members_of(container: Container, qun: Qun) -> int:
    """How many people WeChat shows in the group; 0 while its assistant is not configured any more."""
    return container.groups.member_count(qun) if qun.account in container.accounts.names() else 0


def capacity_of(container: Container, qun: Qun) -> int:
    """How many people its rooms can hold together."""
    return container.config.groups.capacity * max(1, len(container.groups.rooms(qun)))


def _shown(container: Container, qun: Qun | None) -> web.Response:
    if qun is None:
        raise NotFound
    return reply({"qun": fields(container, qun)})


def fields(container: Container, qun: Qun) -> dict[str, Any]:
    """A group as callers see it."""
    return {
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
