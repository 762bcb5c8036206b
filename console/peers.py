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
Provide = Callable[[web.Request], Part]


async def gather(request: web.Request, name: str, provide: Provide, **params: str) -> list[Part]:
    """Return the part of this process and those of the others that respond in time. `params`: of their query."""
    own, peers = provide(request), request.app[CONTAINER].peers
    if peers is None:
        return [own]
    query = {key: value for key, value in params.items() if value}
    answers = await asyncio.gather(*(peers.ask(address, PATH + name, query) for address in await _other_members(peers)))
    return [own, *(part for part in answers if part is not None)]


async def _other_members(peers: Peers) -> list[str]:
    return sorted(set((await peers.all_holders()).values()) - {"", peers.own_address})


async def all_accounts(request: web.Request) -> list[str]:
    """Return the names of the accounts of all processes."""
    container = request.app[CONTAINER]
    if container.peers is None:
        return container.accounts.names()
    return sorted(await container.peers.all_holders())


def add_to(app: web.Application, parts: Mapping[str, Provide]) -> None:
    """Add the routes that other processes call. The middleware admits only processes of the cluster."""
    for name, provide in parts.items():
        app.router.add_get(PATH + name, _handler(provide))


def _handler(provide: Provide) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.Response:
        return json_response(provide(request))

    return answer
