"""设置: admins, staff, sessions, the configuration and its reload."""

from __future__ import annotations

from typing import Any

import yaml
from aiohttp import web

from api.app_keys import ASSISTANTS, HOUSE
from api.body import field, number, read_object
from api.responses import iso, reply
from config import ConfigError
from config.masked import masked
from console.access import VISITOR
from console.accounts import shown
from console.names import person_name
from services.upkeep.reload import ReloadResult


async def read(request: web.Request) -> web.Response:
    """GET /console/api/settings: admins, staff, sessions, and the config without secrets."""
    container, me = request.app[HOUSE], request[VISITOR]
    admins, sessions = await container.store.read(
        lambda s: (container.admins.listed(s), container.console_sessions.listed(s))
    )
    config = masked(container.config)
    staff = []
    for account in container.accounts.names():
        room = container.staff_rooms.of(account)
        people = sorted(room.member_ids - {container.accounts.get(account).self_id}) if room else []
        names = [{"id": id, "name": person_name(container, id) or id} for id in people]
        staff.append({"assistant": account, "room": room.topic if room else "", "people": names})
    return reply(
        {
            "assistants": [shown(container, status) for status in request.app[ASSISTANTS].listed()],
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
            "config": config,
            "config_text": {name: _yaml(value) for name, value in config.items()},
        }
    )


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=100).removesuffix("...\n")


def _admins(container: Any, added: Any) -> list[dict[str, Any]]:
    configured = container.accounts.configured_admins()
    shown = [{"id": None, "contact_id": id, "name": person_name(container, id) or id} for id in configured]
    for row in added:
        name = row.name or person_name(container, row.contact_id) or row.contact_id
        shown.append({"id": row.id, "contact_id": row.contact_id, "name": name})
    return shown


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
    person = container.admins.friend(field(await read_object(request), "contact"))
    await container.store.write(lambda s: container.admins.add(s, person.id, person.name, who))
    return reply({"admin": {"contact_id": person.id, "name": person.name}}, 201)


async def remove_admin(request: web.Request) -> web.Response:
    """DELETE /console/api/admin/{id}: remove an admin, except the last one."""
    container, who, admin_id = request.app[HOUSE], request[VISITOR].actor, number(request)
    await container.store.write(lambda s: container.admins.remove(s, admin_id, who))
    return web.Response(status=204)


async def end_session(request: web.Request) -> web.Response:
    """DELETE /console/api/session/{id}: end a session, identified by the prefix of its hash shown in the list."""
    container, who, begin = request.app[HOUSE], request[VISITOR].actor, request.match_info["id"]
    await container.store.write(lambda s: container.console_sessions.end(s, begin, who))
    return web.Response(status=204)
