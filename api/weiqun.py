"""The public landing page of a group."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from api.app_keys import CLIENT, CONTAINER, QR_CODES, VIEWS
from api.pages import page
from api.qun import capacity_of, members_of
from app.container import Container
from models.groups import Qun, QunState
from wechat.interface import Capability


@dataclass(frozen=True, slots=True)
class Landing:
    """The values shown on the page; neither the code nor members."""

    topic: str
    owner: str
    members: int
    full: bool
    assistant: str
    online: bool
    qr_code: str  # a data: URL, or ""
    join_code: str  # the group's own QR code as a data: URL; people join by it instead of adding the assistant
    token: str  # "" if it cannot be used
    token_until: str
    why_closed: str  # why there is no token: "lost", "expired" or ""


async def landing(request: web.Request) -> web.Response:
    """GET /weiqun/{id}."""
    wait = request.app[VIEWS].acquire(request[CLIENT])
    if wait > 0:
        return page(request, "too_many.html", {}, 429, retry_after=wait)
    container = request.app[CONTAINER]
    qun = container.groups.by_public_id(request.match_info["id"])
    if qun is not None and qun.state == QunState.CLOSED:
        return page(request, "closed.html", {}, 410)
    if qun is None:
        return page(request, "not_found.html", {}, 404)
    if qun.state == QunState.MAKING:
        return page(request, "unfinished.html", {}, 404)
    qr_code = await request.app[QR_CODES].picture(qun.account)
    join_code = await _join_code(container, qun)
    return page(request, "landing.html", {"it": _landing(container, qun, qr_code, join_code)})


async def _join_code(container: Container, qun: Qun) -> str:
    """Return the QR code of the group's last room that has one, as a data: URL."""
    if not _is_ours(container, qun) or qun.state != QunState.ACTIVE:
        return ""
    wechat = container.accounts.get(qun.account)
    if Capability.JOIN_BY_CODE not in wechat.capabilities:
        return ""
    for room in reversed(container.groups.rooms(qun)):
        if picture := await wechat.join_code_picture(room.room_id or ""):
            kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
            return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
    return ""


def _landing(container: Container, qun: Qun, qr_code: str, join_code: str) -> Landing:
    why_closed = "lost" if qun.state == QunState.LOST else "expired" if container.groups.token_expired(qun) else ""
    rooms = container.groups.wechat_rooms(qun) if _is_ours(container, qun) else []
    members = members_of(container, qun)
    until = qun.token_expires_at
    return Landing(
        topic=rooms[0].topic if rooms and rooms[0].topic else qun.topic,
        owner=_owner(container, qun),
        members=members,
        full=members >= capacity_of(container, qun) and not container.config.groups.overflow,
        assistant=_name(container, qun, container.accounts.get(qun.account).self_id)
        if _is_ours(container, qun)
        else "",
        online=container.accounts.is_online(qun.account),
        qr_code=qr_code,
        join_code=join_code,
        token="" if why_closed else qun.token,
        token_until=f"{datetime.fromtimestamp(until, container.zone):%Y-%m-%d %H:%M}" if until else "",
        why_closed=why_closed,
    )


def _is_ours(container: Container, qun: Qun) -> bool:
    return qun.account in container.accounts.names()


def _owner(container: Container, qun: Qun) -> str:
    """Return the owner's nickname; while it is unknown, the name given in the request, unless that is an id."""
    owner_id = container.groups.owners(qun)[0] if _is_ours(container, qun) else qun.owner_id
    requested = qun.owner if owner_id == qun.owner_id and qun.owner != qun.owner_id else ""
    return _name(container, qun, owner_id) or requested


def _name(container: Container, qun: Qun, contact_id: str) -> str:
    """Return the nickname in WeChat, or ""."""
    if not _is_ours(container, qun):
        return ""
    contact = container.accounts.get(qun.account).directory.contacts.get(contact_id)
    return contact.name if contact else ""
