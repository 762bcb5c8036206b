"""Groups: create, read, list, change, close."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from api.app_keys import CONTAINER, caller
from api.body import field, line, lines, number, read_object, reject_unknown_fields, text, without_nulls
from api.cluster import remote_counts
from api.query import choice, page, text_parameter, wants_async
from api.responses import iso, json_response, page_response
from app.container import Container
from errors import GroupNotMade, InvalidParameter, NotFound, WeChatError, WeChatOffline
from models.groups import Membership, MemberState, Qun, QunState
from services.groups.group_counts import GroupCounts
from services.groups.lists import QunFilter, list_members, list_quns
from services.groups.presentation import MAX_ANNOUNCEMENT, MAX_TOPIC, MAX_WELCOME

CHANGEABLE: Final = ("topic", "announcement", "welcome", "tags")


async def create(request: web.Request) -> web.Response:
    """POST /wxbot/qun 请求建群: 201 if this call created it, else 200."""
    container = request.app[CONTAINER]
    body = await read_object(request)
    code, owner, assistant = (field(body, name) for name in ("code", "owner", "assistant"))
    if wants_async(request):
        return await _create_later(container, code, owner, assistant, caller(request))
    qun, created = await container.group_lifecycle.create(code, owner, assistant, caller(request))
    url = container.groups.url(qun)
    answer = {"qun_create_response": {"url": url}}
    return json_response(answer, 201, {"Location": url}) if created else json_response(answer)


async def _create_later(container: Container, code: str, owner: str, assistant: str, actor: str) -> web.Response:
    """Respond 202 if the group is queued, 200 if it exists. The webhook qun.created reports the end."""
    qun = await container.deferred_groups.create(code, owner, assistant, actor)
    url = container.groups.url(qun)
    if qun.state != QunState.MAKING:
        return json_response({"qun_create_response": {"url": url}})
    answer = {"qun_create_response": {"url": url, "state": "queued"}}
    return json_response(answer, 202, {"Location": f"/wxbot/qun/{qun.number}"})


async def change(request: web.Request) -> web.Response:
    """PATCH /wxbot/qun/{number}: change the group. Changes are read back from WeChat; 502 if they did not happen."""
    container, actor = request.app[CONTAINER], caller(request)
    body = without_nulls(await read_object(request), "topic", "announcement", "tags")
    reject_unknown_fields(body, *CHANGEABLE)
    if not body:
        raise InvalidParameter(f"body: no change; allowed: {', '.join(CHANGEABLE)}")
    topic = line("topic", body["topic"], MAX_TOPIC) if "topic" in body else None
    announcement = text(body, "announcement", MAX_ANNOUNCEMENT) if "announcement" in body else None
    welcome = body.get("welcome")  # null: the one of the config; "": none
    if welcome not in (None, ""):
        welcome = text(body, "welcome", MAX_WELCOME)
    tags = lines(body, "tags") if "tags" in body else None
    qun = container.closing.open_group(number(request, "number"))
    presentation, store = container.presentation, container.store
    if topic is not None or announcement is not None:
        container.accounts.online(qun.account)
    try:
        if topic is not None:
            await store.write((await presentation.set_topic(qun, topic, actor)).store)
        if announcement is not None:
            await store.write((await presentation.announce(qun, announcement, actor)).store)
    except WeChatOffline:
        raise
    except WeChatError as error:
        raise GroupNotMade(str(error)) from error
    if "welcome" in body:
        await store.write(presentation.welcome(qun, welcome, actor))
    if tags is not None:
        await store.write(lambda s: container.closing.tag(s, qun.number, tags))
    return _response(container, container.groups.by_number(qun.number))


async def close(request: web.Request) -> web.Response:
    """DELETE /wxbot/qun/{number}: 204 once it is closed; the farewell message and leaving are queued."""
    await request.app[CONTAINER].closing.close(number(request, "number"), caller(request))
    return web.Response(status=204)


async def read(request: web.Request) -> web.Response:
    """GET /wxbot/qun/{number}."""
    container = request.app[CONTAINER]
    return _response(container, container.groups.by_number(number(request, "number")))


async def find(request: web.Request) -> web.Response:
    """GET /wxbot/qun?code=…: one group; without a code, a page of all."""
    container = request.app[CONTAINER]
    if "code" in request.query:
        return _response(container, container.groups.by_code(line("code", request.query["code"])))
    criteria = QunFilter(
        account=text_parameter(request, "assistant"),
        state=choice(request, "state", QunState),
        owner=text_parameter(request, "owner"),
        tag=text_parameter(request, "tag"),
        q=text_parameter(request, "q"),
    )
    page_request = page(request)
    result = await container.store.read(lambda s: list_quns(s, criteria, page_request))
    remote = await remote_counts(request, result.rows)
    return page_response("quns", result.map(lambda qun: fields(container, qun, remote.get(qun.number))))


async def members(request: web.Request) -> web.Response:
    """GET /wxbot/qun/{number}/members: the members, or the memberships in another `state`."""
    container, page_request = request.app[CONTAINER], page(request)
    state = choice(request, "state", MemberState) or MemberState.JOINED
    qun = container.groups.by_number(number(request, "number"))
    if qun is None:
        raise NotFound
    result = await container.store.read(lambda s: list_members(s, qun.number, state, page_request))
    return page_response("members", result.map(_member))


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
    """Return the number of members in WeChat; 0 if the assistant is no longer configured."""
    return container.groups.member_count(qun) if qun.account in container.accounts.names() else 0


def capacity_of(container: Container, qun: Qun) -> int:
    """Return the capacity of all rooms of the group."""
    return container.config.groups.capacity * max(1, len(container.groups.rooms(qun)))


def _response(container: Container, qun: Qun | None) -> web.Response:
    if qun is None:
        raise NotFound
    return json_response({"qun": fields(container, qun)})


def fields(container: Container, qun: Qun, counts: GroupCounts | None = None) -> dict[str, Any]:
    """Return the JSON representation of a group. `counts`: as reported by the process that serves its account."""
    return {
        "number": qun.number,
        "code": qun.code,
        "topic": qun.topic,
        "owner": qun.owner,
        "assistant": qun.account,
        "url": container.groups.url(qun),
        "token": qun.token,
        "state": qun.state,
        "members": counts.members if counts else members_of(container, qun),
        "capacity": counts.capacity if counts else capacity_of(container, qun),
        "created_at": iso(qun.created_at),
    }
