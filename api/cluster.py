"""Requests between the processes of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from aiohttp import web

from api.app_keys import ASSISTANTS, CONTAINER
from api.responses import json_response
from app.cluster_assistants import PATH as ASSISTANTS_PATH
from models.groups import Qun
from services.cluster.peers import STAFF_PATH
from services.groups.group_counts import GroupCounts, counts_of

COUNTS_PATH: Final = "/cluster/counts"


async def assistants(request: web.Request) -> web.Response:
    """GET /cluster/assistants: the assistants of this process."""
    return json_response({"assistants": [asdict(status) for status in request.app[ASSISTANTS].local_statuses()]})


async def counts(request: web.Request) -> web.Response:
    """GET /cluster/counts?numbers=1,2: the numbers of members of groups of this process."""
    container = request.app[CONTAINER]
    numbers = [int(number) for number in request.query.get("numbers", "").split(",") if number.isdecimal()]
    quns = [qun for number in numbers if (qun := container.groups.by_number(number)) is not None]
    return json_response(
        {"counts": {str(qun.number): list(counts_of(container.groups, container.config, qun)) for qun in quns}}
    )


async def staff(request: web.Request) -> web.Response:
    """GET /cluster/staff?account=&contact=: whether a person is in the staff room of an account."""
    container, account = request.app[CONTAINER], request.query.get("account", "")
    is_served = account in container.accounts.names()
    member = is_served and container.staff_rooms.has_member(account, request.query.get("contact", ""))
    return json_response({"staff": member})


async def remote_counts(request: web.Request, quns: Sequence[Qun]) -> dict[int, GroupCounts]:
    """Return the member counts of groups that other processes serve; groups of processes that do not respond are left
    out.
    """
    container = request.app[CONTAINER]
    peers = container.peers
    remote = [qun for qun in quns if not container.ownership.holds(qun.account)]
    if peers is None or not remote:
        return {}
    numbers_by_holder: dict[str, list[int]] = {}
    holders = await peers.all_holders()
    for qun in remote:
        if holder := holders.get(qun.account):
            numbers_by_holder.setdefault(holder, []).append(qun.number)
    counts: dict[int, GroupCounts] = {}
    for holder, numbers in numbers_by_holder.items():
        answer: Any = await peers.get_json(holder, COUNTS_PATH, {"numbers": ",".join(map(str, numbers))})
        for number, (members, capacity) in (answer or {}).get("counts", {}).items():
            counts[int(number)] = GroupCounts(members, capacity)
    return counts


ROUTES: Final = (
    web.get(ASSISTANTS_PATH, assistants),
    web.get(COUNTS_PATH, counts),
    web.get(STAFF_PATH, staff),
)
