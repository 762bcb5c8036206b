"""What the pages show of accounts that other processes of the cluster serve."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from api.app_keys import CONTAINER
from api.responses import json_response
from services.cluster.peers import Peers

PATH: Final = "/cluster/console/"

Part = dict[str, Any]  # JSON that one process contributes
LocalPart = Callable[[web.Request], Part]


async def gather_parts(request: web.Request, name: str, local_part: LocalPart, **params: str) -> list[Part]:
    """Return the part of this process and those of the others that respond in time. `params`: of their query."""
    own_part, peers = local_part(request), request.app[CONTAINER].peers
    if peers is None:
        return [own_part]
    query = {key: value for key, value in params.items() if value}
    answers = await asyncio.gather(
        *(peers.get_json(address, PATH + name, query) for address in await _other_members(peers))
    )
    return [own_part, *(part for part in answers if part is not None)]


async def _other_members(peers: Peers) -> list[str]:
    return sorted(set((await peers.all_holders()).values()) - {"", peers.own_address})


async def all_accounts(request: web.Request) -> list[str]:
    """Return the names of the accounts of all processes."""
    container = request.app[CONTAINER]
    if container.peers is None:
        return container.accounts.names()
    return sorted(await container.peers.all_holders())


def add_to(app: web.Application, parts: Mapping[str, LocalPart]) -> None:
    """Add the routes that other processes call. The middleware admits only processes of the cluster."""
    for name, local_part in parts.items():
        app.router.add_get(PATH + name, _handler(local_part))


def _handler(local_part: LocalPart) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.Response:
        return json_response(local_part(request))

    return answer
