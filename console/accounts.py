"""设置 and 概览: the accounts with their login QR codes; added, changed, logged out, removed; staff rooms; friends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any, Final

from aiohttp import web

from api.app_keys import ASSISTANTS, CONTAINER
from api.assistant import read_settings
from api.body import field, read_object
from api.query import text_parameter
from api.responses import iso, json_response
from app.assistants import AssistantStatus
from app.container import Container
from console.access import VISITOR
from console.peers import all_accounts, gather_parts
from console.pictures import picture
from errors import AssistantUnknown, GroupNotMade, NotFound, WeChatError, WeChatOffline, WeChatUnsupported
from wechat.interface import Capability

MAX_SHOWN: Final = 50  # people or rooms in one response; others are found by a part of their name
UNSERVED: Final = {"state": "unserved", "scan": "none", "can_log_out": False}  # of an account without a process


def local_accounts(request: web.Request) -> dict[str, Any]:
    """Return the accounts of this process, with queue lengths and staff."""
    container = request.app[CONTAINER]
    accounts = [account_json(container, status) for status in request.app[ASSISTANTS].local_statuses()]
    staff = {account: _staff(container, account) for account in container.accounts.names()}
    return {"accounts": accounts, "staff": staff, "queues": container.outbox.waiting()}


async def all_served(request: web.Request) -> dict[str, Any]:
    """Return the same of all processes; an account that none serves is in the state `unserved`."""
    parts = await gather_parts(request, "accounts", local_accounts)
    by_account = {account["account"]: account for part in parts for account in part["accounts"]}
    configured = {assistant.account for assistant in request.app[CONTAINER].config.assistants}
    accounts = [by_account.get(name) or _unserved(name, configured) for name in await all_accounts(request)]
    queues: Counter[str] = Counter()
    for part in parts:
        queues.update(part["queues"])
    return {
        "accounts": accounts,
        "staff": {account: people for part in parts for account, people in part["staff"].items()},
        "queues": dict(queues),
    }


def _unserved(account: str, configured: Collection[str]) -> dict[str, Any]:
    texts = dict.fromkeys(("holder", "reason", "staff_room"), "")
    numbers = dict.fromkeys(("friends", "groups", "waiting"), 0)
    row: dict[str, Any] = {"account": account, "since": None, "away_since": None, "away_long": False, "pace": {}}
    return {**row, **texts, **numbers, **UNSERVED, "configured": account in configured}


def _staff(container: Container, account: str) -> list[dict[str, str]]:
    room = container.staff_rooms.of(account)
    wechat = container.accounts.get(account)
    ids = sorted(room.member_ids - {wechat.self_id}) if room else []
    contacts = wechat.directory.contacts
    return [{"id": id, "name": contacts[id].alias or contacts[id].name if id in contacts else id} for id in ids]


def account_json(container: Container, status: AssistantStatus) -> dict[str, Any]:
    """Return an account as shown on the page, without the content of its QR code."""
    wechat = container.accounts.get(status.account)
    language = container.config.language
    room = container.staff_rooms.of(status.account)
    return {
        "account": status.account,
        "state": status.state,
        "holder": status.holder if container.cluster else "",
        "since": iso(container.accounts.since(status.account)),
        "away_since": iso(container.accounts.offline_since(status.account)),
        "away_long": container.offline_alerts.is_overdue(status.account),
        "reason": wechat.reason.text(language) if wechat.reason else "",
        "friends": status.friends,
        "groups": status.groups,
        "waiting": status.waiting,
        "scan": wechat.scan_state if wechat.qr_code else "none",
        "staff_room": room.topic if room else "",
        "pace": {
            kind: round(ratio, 3) for kind, ratio in container.accounts.rate_limiter(status.account).used().items()
        },
        "can_log_out": Capability.LOG_OUT in wechat.capabilities,
        "configured": any(assistant.account == status.account for assistant in container.config.assistants),
    }


async def login_code(request: web.Request) -> web.Response:
    """GET /console/api/assistant/{account}/login.svg: the login QR code; 404 if there is none."""
    code = request.app[CONTAINER].accounts.get(request.match_info["account"]).qr_code
    if not code:
        raise NotFound("no login QR code")
    return picture(code)


async def put(request: web.Request) -> web.Response:
    """POST /console/api/assistant: as POST /wxbot/assistant."""
    settings = read_settings(await read_object(request))
    _, new = await request.app[ASSISTANTS].put(settings, request[VISITOR].actor)
    accounts = (await all_served(request))["accounts"]
    account = next((candidate for candidate in accounts if candidate["account"] == settings.account), None)
    return json_response({"assistant": account or _unserved(settings.account, ())}, 201 if new else 200)


async def remove(request: web.Request) -> web.Response:
    """DELETE /console/api/assistant/{account}: only added accounts can be removed."""
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
    container, q = request.app[CONTAINER], text_parameter(request, "q")
    account = request.match_info["account"]
    directory = container.accounts.get(account).directory
    matching = sorted((room for room in directory.rooms.values() if q in room.topic), key=lambda room: room.topic)
    bound = container.staff_rooms.bound_id(account)
    listed = [
        {"id": room.id, "topic": room.topic, "members": len(room.member_ids), "bound": room.id == bound}
        for room in matching[:MAX_SHOWN]
    ]
    return json_response({"rooms": listed, "more": len(matching) > MAX_SHOWN})


async def bind_staff_room(request: web.Request) -> web.Response:
    """POST /console/api/assistant/{account}/staff-room {room}: its members become the staff."""
    container, actor, account = request.app[CONTAINER], request[VISITOR].actor, request.match_info["account"]
    room_id = field(await read_object(request), "room")
    container.accounts.get(account)
    await container.store.write(lambda s: container.staff_rooms.bind(s, account, room_id, actor))
    return web.Response(status=204)


# ---- people ----


async def friends(request: web.Request) -> web.Response:
    """GET /console/api/friend?assistant=&q=: friends whose name, remark, 微信号 or id contains `q`."""
    account = text_parameter(request, "assistant")
    if account and account not in await all_accounts(request):
        raise AssistantUnknown(account)
    parts = await gather_parts(request, "friends", local_friends, q=text_parameter(request, "q"), assistant=account)
    matching = sorted((friend for part in parts for friend in part["friends"]), key=_sort_key)
    return json_response({"friends": matching[:MAX_SHOWN], "count": sum(part["count"] for part in parts)})


def local_friends(request: web.Request) -> dict[str, Any]:
    """Return the first matching friends of the accounts of this process, and the total number."""
    container, q, account = request.app[CONTAINER], text_parameter(request, "q"), text_parameter(request, "assistant")
    matching = []
    for name in container.accounts.names():
        contacts = container.accounts.get(name).directory.contacts.values() if account in ("", name) else ()
        people = (contact for contact in contacts if contact.friend and not contact.official)
        matching += [
            {
                "assistant": name,
                "contact_id": contact.id,
                "name": contact.name,
                "alias": contact.alias,
                "weixin": contact.weixin,
            }
            for contact in people
            if any(q in part for part in (contact.name, contact.alias, contact.weixin, contact.id))
        ]
    return {"friends": sorted(matching, key=_sort_key)[:MAX_SHOWN], "count": len(matching)}


def _sort_key(friend: dict[str, str]) -> tuple[str, str]:
    return friend["alias"] or friend["name"], friend["contact_id"]
