"""群: groups and actions on them."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlmodel import Session

from api.app_keys import CONTAINER
from api.body import field, line, number, read_object, text
from api.cluster import remote_counts
from api.query import choice, page, text_parameter
from api.qun import fields
from api.responses import iso, json_response, page_response
from app.container import Container
from console.access import VISITOR
from console.pictures import picture
from console.words import check
from errors import GroupNotMade, InvalidParameter, NotFound, WeChatError, WeChatOffline
from models.groups import Membership, MemberState, Qun, QunState
from services.accounts.console_sessions import Role
from services.groups.group_counts import GroupCounts
from services.groups.lists import QunFilter, list_members, list_quns
from services.groups.presentation import MAX_ANNOUNCEMENT, MAX_TOPIC, MAX_WELCOME
from services.moderation.member_records import warnings_in
from services.paging import Page
from wechat.entities import Contact
from wechat.interface import Capability


async def find(request: web.Request) -> web.Response:
    """GET /console/api/qun?q=&state=&assistant=: list groups."""
    criteria = QunFilter(
        account=text_parameter(request, "assistant"),
        state=choice(request, "state", QunState),
        q=text_parameter(request, "q"),
    )
    container, page_request = request.app[CONTAINER], page(request)
    result = await container.store.read(lambda s: list_quns(s, criteria, page_request))
    remote = await remote_counts(request, result.rows)
    return page_response("quns", result.map(lambda qun: _fields(request, qun, remote.get(qun.number))))


def _fields(request: web.Request, qun: Qun, counts: GroupCounts | None = None) -> dict[str, Any]:
    data = fields(request.app[CONTAINER], qun, counts)
    if request[VISITOR].role is not Role.ADMIN:  # agents must not see what lets people join
        del data["token"], data["url"]
    return data


async def read(request: web.Request) -> web.Response:
    """GET /console/api/qun/{number}: a group with its settings and statistics."""
    container, qun = request.app[CONTAINER], _group(request)
    blacklisted = await container.sanctions.blacklisted(qun)
    timed = await container.timed_messages.of(qun)
    days = await container.daily_stats.days(qun.number, 14)
    data = {
        **_fields(request, qun),
        "welcome": qun.welcome,
        "announcement": qun.announcement,
        "blocked_words": container.blocked_words.of(qun.account, qun.number),
        "blacklist": [{"contact_id": row.contact_id, "name": row.name} for row in blacklisted],
        "timed": [timed_message(row) for row in timed],
        "days": [{"day": day.date, "joins": day.joins, "leaves": day.leaves, "messages": day.messages} for day in days],
    }
    return json_response({"qun": data})


def timed_message(row: Any) -> dict[str, Any]:
    """Return the JSON representation of a timed message."""
    return {"id": row.id, "number": row.number, "cron": row.cron, "text": row.text, "next_at": iso(row.next_at)}


async def members(request: web.Request) -> web.Response:
    """GET /console/api/qun/{number}/members?state=: list members."""
    container, qun, page_request = request.app[CONTAINER], _group(request), page(request)
    state = choice(request, "state", MemberState) or MemberState.JOINED

    def load(session: Session) -> tuple[Page[Membership], dict[str, int]]:
        result = list_members(session, qun.number, state, page_request)
        return result, warnings_in(session, qun.number, [row.contact_id for row in result.rows if row.contact_id])

    result, warnings = await container.store.read(load)
    return page_response(
        "members",
        result.map(
            lambda row: {
                "id": row.id,
                "contact_id": row.contact_id,
                "name": row.name,
                "state": row.state,
                "updated_at": iso(row.updated_at),
                "warnings": warnings.get(row.contact_id or "", 0),
                "exempt": bool(row.contact_id) and container.sanctions.is_exempt(qun, row.contact_id or ""),
            }
        ),
    )


async def code(request: web.Request) -> web.Response:
    """GET /console/api/qun/{number}/qr.svg: QR code of the landing page."""
    return picture(request.app[CONTAINER].groups.url(_group(request)))


def _group(request: web.Request) -> Qun:
    qun = request.app[CONTAINER].groups.by_number(number(request, "number"))
    if qun is None:
        raise NotFound("group")
    return qun


# ---- changes ----


async def change(request: web.Request) -> web.Response:
    """PATCH /console/api/qun/{number} {topic | announcement | welcome}: read back from WeChat, 502 if it did not
    change.
    """
    container, actor = request.app[CONTAINER], request[VISITOR].actor
    body = await read_object(request)
    qun = container.closing.open_group(number(request, "number"))
    try:
        await _change(container, qun, body, actor)
    except WeChatOffline:
        raise
    except WeChatError as error:
        raise GroupNotMade(str(error)) from error
    return await read_changed(request)


async def _change(container: Container, qun: Qun, body: dict[str, Any], actor: str) -> None:
    presentation, store = container.presentation, container.store
    if body.keys() == {"topic"}:
        name = line("topic", body["topic"], MAX_TOPIC)
        container.accounts.online(qun.account)
        await store.write((await presentation.set_topic(qun, name, actor)).store)
    elif body.keys() == {"announcement"}:
        announcement = text(body, "announcement", MAX_ANNOUNCEMENT)
        container.accounts.online(qun.account)
        await store.write((await presentation.announce(qun, announcement, actor)).store)
    elif body.keys() == {"welcome"}:
        welcome = body["welcome"]
        words_or_none = welcome if welcome in (None, "") else text(body, "welcome", MAX_WELCOME)
        await store.write(presentation.welcome(qun, words_or_none, actor))
    else:
        raise InvalidParameter("topic, announcement or welcome is required")


async def read_changed(request: web.Request) -> web.Response:
    """Return the changed group."""
    return await read(request)


async def act(request: web.Request) -> web.Response:
    """POST /console/api/qun/{number}/{action}: one of ACTIONS."""
    container, actor, qun = request.app[CONTAINER], request[VISITOR].actor, _group(request)
    action = ACTIONS.get(request.match_info["action"])
    if action is None:
        raise NotFound("action")
    body = await read_object(request)
    try:
        await action(container, qun, body, actor)
    except WeChatOffline:
        raise
    except WeChatError as error:
        raise GroupNotMade(str(error)) from error
    return await read(request)


async def add_member(request: web.Request) -> web.Response:
    """POST /console/api/qun/{number}/add {contact_id}: `approved` as 请求入群 answers it."""
    container, actor, qun = request.app[CONTAINER], request[VISITOR].actor, _group(request)
    contact_id = field(await read_object(request), "contact_id")
    answer = await container.join_requests.join_group(qun, contact_id, actor)
    return json_response({"approved": answer.outcome})


async def _close(container: Container, qun: Qun, _body: dict[str, Any], actor: str) -> None:
    await container.closing.close(qun.number, actor)


async def _token(container: Container, qun: Qun, _body: dict[str, Any], actor: str) -> None:
    await container.store.write(lambda s: container.group_lifecycle.renew_token(s, container.audit, qun, actor))


async def _block(container: Container, qun: Qun, body: dict[str, Any], actor: str) -> None:
    word, blocked_words = field(body, "word"), container.blocked_words
    container.accounts.require(qun.account, Capability.ROOM_MESSAGES)
    check(await container.store.write(lambda s: blocked_words.block(s, qun.account, qun.number, word, actor)))


async def _unblock(container: Container, qun: Qun, body: dict[str, Any], actor: str) -> None:
    word, blocked_words = field(body, "word"), container.blocked_words
    check(await container.store.write(lambda s: blocked_words.allow(s, qun.account, qun.number, word, actor)))


async def _warn(container: Container, qun: Qun, body: dict[str, Any], actor: str) -> None:
    person, reason = _person(container, qun, body), _reason(container, body)
    await container.store.write(lambda s: container.member_actions.warn(s, qun, person, reason, actor))


async def _remove(container: Container, qun: Qun, body: dict[str, Any], actor: str) -> None:
    await container.member_actions.remove(qun, _person(container, qun, body).id, actor)


async def _blacklist(container: Container, qun: Qun, body: dict[str, Any], actor: str) -> None:
    await container.member_actions.ban(qun, _person(container, qun, body), _reason(container, body), actor)


async def _clear_warnings(container: Container, qun: Qun, body: dict[str, Any], actor: str) -> None:
    contact_id = field(body, "contact_id")
    await container.store.write(lambda s: container.member_actions.unblacklist(s, qun, contact_id, actor))


def _person(container: Container, qun: Qun, body: dict[str, Any]) -> Contact:
    contact_id = field(body, "contact_id")
    contacts = container.accounts.online(qun.account).directory.contacts
    return contacts.get(contact_id) or Contact(contact_id, "")


def _reason(container: Container, body: dict[str, Any]) -> str:
    return line("reason", body["reason"]) if body.get("reason") else container.config.texts.reason_command


ACTIONS = {
    "close": _close,
    "token": _token,
    "block": _block,
    "unblock": _unblock,
    "warn": _warn,
    "remove": _remove,
    "blacklist": _blacklist,
    "forgive": _clear_warnings,
}
