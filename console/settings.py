"""设置: admins, staff, sessions, the configuration and its reload."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlmodel import Session

from api.app_keys import HOUSE
from api.body import field, number, read_object
from api.responses import iso, reply
from config import ConfigError
from config.masked import masked
from console.access import VISITOR
from errors import InvalidParameter, NotFound
from services.upkeep.reload import ReloadResult


async def read(request: web.Request) -> web.Response:
    """GET /console/api/settings: admins, staff, sessions, and the config without secrets."""
    container, me = request.app[HOUSE], request[VISITOR]
    admins, sessions = await container.store.read(
        lambda s: (container.admins.listed(s), container.console_sessions.listed(s))
    )
    staff = []
    for account in container.accounts.names():
        room = container.staff_rooms.of(account)
        people = sorted(room.member_ids) if room else []
        names = [{"id": id, "name": _name(container, id)} for id in people]
        staff.append({"assistant": account, "room": room.topic if room else "", "people": names})
    return reply(
        {
            "admins": _admins(container, admins),
            "staff": staff,
            "sessions": [
                {
                    "id": row.id[:16],
                    "name": row.name or row.contact_id,
                    "address": row.address,
                    "created_at": iso(row.created_at),
                    "seen_at": iso(row.seen_at),
                    "mine": row.id == me.session_id,
                }
                for row in sessions
            ],
            "config": masked(container.config),
        }
    )


def _admins(container: Any, added: Any) -> list[dict[str, Any]]:
    configured = container.accounts.configured_admins()
    shown = [{"id": None, "contact_id": id, "name": _name(container, id)} for id in configured]
    for row in added:
        name = row.name or _name(container, row.contact_id)
        shown.append({"id": row.id, "contact_id": row.contact_id, "name": name})
    return shown


def _name(container: Any, contact_id: str) -> str:
    for wechat in container.accounts:
        contact = wechat.directory.contacts.get(contact_id)
        if contact is not None and contact.name:
            return str(contact.name)
    return contact_id


async def preview(request: web.Request) -> web.Response:
    """GET /console/api/settings/preview: what a reload would change, or the config's error."""
    try:
        return reply({"preview": _result(await request.app[HOUSE].reloader.preview())})
    except ConfigError as error:
        return reply({"preview": {"error": str(error)}})


async def reload(request: web.Request) -> web.Response:
    """POST /console/api/settings/reload: reload the config."""
    try:
        return reply({"reload": _result(await request.app[HOUSE].reloader.reload(request[VISITOR].actor))})
    except ConfigError as error:
        return reply({"reload": {"error": str(error)}})


def _result(result: ReloadResult) -> dict[str, Any]:
    return {"changed": list(result.changed), "restart": list(result.restart)}


async def add_admin(request: web.Request) -> web.Response:
    """POST /console/api/admin {contact}: add an admin by WeChat id or 微信号 of a friend, not by nickname."""
    container, who = request.app[HOUSE], request[VISITOR].actor
    wanted = field(await read_object(request), "contact")
    found = {
        person.id: person
        for wechat in container.accounts
        for person in wechat.directory.find(wanted, friends=True)
        if wanted in (person.id, person.weixin)
    }
    if len(found) != 1:
        raise NotFound(f"no friend {wanted}")
    person = next(iter(found.values()))

    def write(session: Session) -> None:
        if container.admins.add(session, person.id, person.name, who):
            container.audit.note(session, "", "admin", who, person.id, "done")

    await container.store.write(write)
    return reply({"admin": {"contact_id": person.id, "name": person.name}}, 201)


async def remove_admin(request: web.Request) -> web.Response:
    """DELETE /console/api/admin/{id}: remove an admin, except the last one."""
    container, who, admin_id = request.app[HOUSE], request[VISITOR].actor, number(request)

    def write(session: Session) -> None:
        if container.admins.is_last(session, admin_id):
            raise InvalidParameter("the last admin")
        admin = container.admins.remove(session, admin_id)
        if admin is None:
            raise NotFound(f"admin {admin_id}")
        container.console_sessions.end_all(session, admin.contact_id)
        container.audit.note(session, "", "admin_removed", who, admin.contact_id, "done")

    await container.store.write(write)
    return web.Response(status=204)


async def end_session(request: web.Request) -> web.Response:
    """DELETE /console/api/session/{id}: end a session, identified by the prefix of its hash shown in the list."""
    container, who, begin = request.app[HOUSE], request[VISITOR].actor, request.match_info["id"]

    def write(session: Session) -> None:
        found = [row for row in container.console_sessions.listed(session) if row.id.startswith(begin)]
        if len(found) != 1:
            raise NotFound("session")
        container.console_sessions.end(session, found[0].id)
        container.audit.note(session, "", "console_logout", who, found[0].contact_id, "done")

    await container.store.write(write)
    return web.Response(status=204)
