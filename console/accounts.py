"""设置 and 概览: the accounts with their login QR codes; added, changed, logged out, removed; staff rooms; friends."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from api.app_keys import ASSISTANTS, HOUSE
from api.assistant import read_settings
from api.body import field, read_object
from api.query import word
from api.responses import iso, reply
from app.assistants import AssistantStatus
from app.container import Container
from console.access import VISITOR
from console.pictures import picture
from errors import GroupNotMade, NotFound, WeChatError, WeChatOffline, WeChatUnsupported
from wechat.interface import Capability

MAX_SHOWN: Final = 50  # people or rooms in one answer; who looks for more types a part of the name


def shown(container: Container, status: AssistantStatus) -> dict[str, Any]:
    """Return an account as shown on the page, without the content of its QR code."""
    wechat = container.accounts.get(status.account)
    language = container.config.language
    room = container.staff_rooms.of(status.account)
    return {
        "account": status.account,
        "state": status.state,
        "since": iso(container.accounts.since(status.account)),
        "away_since": iso(container.accounts.away_since(status.account)),
        "away_long": container.offline_alerts.is_long(status.account),
        "reason": wechat.reason.text(language) if wechat.reason else "",
        "friends": status.friends,
        "groups": status.groups,
        "waiting": status.waiting,
        "scan": wechat.scan_state if wechat.qr_code else "none",
        "staff_room": room.topic if room else "",
        "pace": {kind: round(ratio, 3) for kind, ratio in container.accounts.governor(status.account).used().items()},
        "can_log_out": Capability.LOG_OUT in wechat.capabilities,
        "configured": any(one.account == status.account for one in container.config.assistants),
    }


async def login_code(request: web.Request) -> web.Response:
    """GET /console/api/assistant/{account}/login.svg: the login QR code; 404 if there is none."""
    code = request.app[HOUSE].accounts.get(request.match_info["account"]).qr_code
    if not code:
        raise NotFound("no login QR code")
    return picture(code)


async def put(request: web.Request) -> web.Response:
    """POST /console/api/assistant: as POST /wxbot/assistant."""
    settings = read_settings(await read_object(request))
    status, new = await request.app[ASSISTANTS].put(settings, request[VISITOR].actor)
    return reply({"assistant": shown(request.app[HOUSE], status)}, 201 if new else 200)


async def remove(request: web.Request) -> web.Response:
    """DELETE /console/api/assistant/{account}: one that was added; those of the config stay."""
    await request.app[ASSISTANTS].remove(request.match_info["account"], request[VISITOR].actor)
    return web.Response(status=204)


async def log_out(request: web.Request) -> web.Response:
    """POST /console/api/assistant/{account}/logout: 204 once the gateway has logged it out."""
    try:
        await request.app[ASSISTANTS].log_out(request.match_info["account"], request[VISITOR].actor)
    except (WeChatOffline, WeChatUnsupported):
        raise
    except WeChatError as error:
        raise GroupNotMade(str(error)) from error
    return web.Response(status=204)


# ---- the staff room ----


async def rooms(request: web.Request) -> web.Response:
    """GET /console/api/assistant/{account}/room?q=: WeChat groups that may become the staff room."""
    container, q = request.app[HOUSE], word(request, "q")
    account = request.match_info["account"]
    directory = container.accounts.get(account).directory
    found = sorted((room for room in directory.rooms.values() if q in room.topic), key=lambda one: one.topic)
    bound = container.staff_rooms.bound_id(account)
    listed = [
        {"id": one.id, "topic": one.topic, "members": len(one.member_ids), "bound": one.id == bound}
        for one in found[:MAX_SHOWN]
    ]
    return reply({"rooms": listed, "more": len(found) > MAX_SHOWN})


async def bind_staff_room(request: web.Request) -> web.Response:
    """POST /console/api/assistant/{account}/staff-room {room}: its members are the staff from now on."""
    container, who, account = request.app[HOUSE], request[VISITOR].actor, request.match_info["account"]
    room_id = field(await read_object(request), "room")
    container.accounts.get(account)
    await container.store.write(lambda s: container.staff_rooms.bind(s, account, room_id, who))
    return web.Response(status=204)


# ---- people ----


async def friends(request: web.Request) -> web.Response:
    """GET /console/api/friend?assistant=&q=: friends whose name, remark, 微信号 or id has this in it."""
    container, q, account = request.app[HOUSE], word(request, "q"), word(request, "assistant")
    found = []
    for name in [account] if account else container.accounts.names():
        contacts = container.accounts.get(name).directory.contacts.values()
        people = (one for one in contacts if one.friend and not one.official)
        found += [(name, one) for one in people if any(q in part for part in (one.name, one.alias, one.weixin, one.id))]
    found.sort(key=lambda pair: (pair[1].alias or pair[1].name, pair[1].id))
    listed = [
        {"assistant": name, "contact_id": one.id, "name": one.name, "alias": one.alias, "weixin": one.weixin}
        for name, one in found[:MAX_SHOWN]
    ]
    return reply({"friends": listed, "count": len(found)})
