"""设置: admins, staff, sessions, the configuration and its reload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from aiohttp import web

from api.app_keys import CONTAINER
from api.body import field, number, read_object
from api.responses import iso, json_response
from app.container import Container
from config import ConfigError
from config.language import in_language
from config.masked import masked
from console.access import VISITOR
from console.accounts import all_served, local_friends
from console.names import Names, names_of
from console.peers import gather_parts
from errors import NotFound
from models.accounts import Admin
from services.upkeep.reload import ReloadResult


async def read(request: web.Request) -> web.Response:
    """GET /console/api/settings: admins, staff, sessions, and the config without secrets."""
    container, me = request.app[CONTAINER], request[VISITOR]
    admins, sessions = await container.store.read(
        lambda s: (container.admins.added_admins(s), container.console_sessions.open_sessions(s))
    )
    config, served = masked(container.config), await all_served(request)
    names = await names_of(request, [*container.accounts.configured_admins(), *(row.contact_id for row in admins)])
    staff = [
        {
            "assistant": account["account"],
            "room": account["staff_room"],
            "people": served["staff"].get(account["account"], []),
        }
        for account in served["accounts"]
    ]
    return json_response(
        {
            "assistants": served["accounts"],
            "admins": _admins(container, admins, names),
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


def _admins(container: Container, added: Sequence[Admin], names: Names) -> list[dict[str, Any]]:
    configured = container.accounts.configured_admins()
    rows: list[dict[str, Any]] = [{"id": None, "contact_id": id, "name": names.person(id) or id} for id in configured]
    for row in added:
        name = row.name or names.person(row.contact_id) or row.contact_id
        rows.append({"id": row.id, "contact_id": row.contact_id, "name": name})
    return rows


async def preview(request: web.Request) -> web.Response:
    """GET /console/api/settings/preview: what a reload would change, or the config's error."""
    try:
        return json_response({"preview": _result(await request.app[CONTAINER].reloader.preview())})
    except ConfigError as error:
        return json_response({"preview": _failed(request, error)})


async def reload(request: web.Request) -> web.Response:
    """POST /console/api/settings/reload: reload the config."""
    try:
        return json_response({"reload": _result(await request.app[CONTAINER].reloader.reload(request[VISITOR].actor))})
    except ConfigError as error:
        return json_response({"reload": _failed(request, error)})


def _failed(request: web.Request, error: ConfigError) -> dict[str, Any]:
    return {"error": in_language(str(error), request.app[CONTAINER].config.language)}


def _result(result: ReloadResult) -> dict[str, Any]:
    return {"changed": list(result.changed), "restart": list(result.restart)}


async def add_admin(request: web.Request) -> web.Response:
    """POST /console/api/admin {contact}: add an admin by WeChat id or 微信号 of a friend, not by nickname."""
    container, actor = request.app[CONTAINER], request[VISITOR].actor
    contact_id, name = await _friend(request, field(await read_object(request), "contact"))
    await container.store.write(lambda s: container.admins.add(s, contact_id, name, actor))
    return json_response({"admin": {"contact_id": contact_id, "name": name}}, 201)


async def _friend(request: web.Request, name: str) -> tuple[str, str]:
    """Return id and name of the friend of any assistant with this WeChat id or 微信号; NotFound."""
    try:
        person = request.app[CONTAINER].admins.friend(name)
    except NotFound:
        parts = await gather_parts(request, "friends", local_friends, q=name)
        friends = (friend for part in parts[1:] for friend in part["friends"])
        exact = {
            friend["contact_id"]: friend["name"]
            for friend in friends
            if name in (friend["contact_id"], friend["weixin"])
        }
        if len(exact) != 1:
            raise
        return next(iter(exact.items()))
    return person.id, person.name


async def remove_admin(request: web.Request) -> web.Response:
    """DELETE /console/api/admin/{id}: remove an admin, except the last one."""
    container, actor, admin_id = request.app[CONTAINER], request[VISITOR].actor, number(request)
    await container.store.write(lambda s: container.admins.remove(s, admin_id, actor))
    return web.Response(status=204)


async def end_session(request: web.Request) -> web.Response:
    """DELETE /console/api/session/{id}: end a session, identified by the prefix of its hash shown in the list."""
    container, actor, begin = request.app[CONTAINER], request[VISITOR].actor, request.match_info["id"]
    await container.store.write(lambda s: container.console_sessions.end(s, begin, actor))
    return web.Response(status=204)
