"""Requests to add a person, and their stored rows."""

from __future__ import annotations

from typing import Any

from models.groups import Qun
from services.groups.membership_rows import put_membership
from services.groups.memberships import JoinResult
from tests.services.parts import XUAN, Parts

DAY = 86400.0


async def request(parts: Parts, qun: Qun, member: str = "黑旋风", *, later: bool = False) -> JoinResult:
    return await parts.container.join_requests.join(qun.token, member, "api", later=later)


async def store_membership(parts: Parts, qun: Qun, state: str, who: str = XUAN, **values: Any) -> int:
    fields = {"source": "message", "expires_at": parts.clock.now + DAY, **values}
    now = parts.clock.now
    row = await parts.write(lambda s: put_membership(s, qun, now, name="黑旋风", contact_id=who, state=state, **fields))
    return row.id or 0


async def state(parts: Parts, qun: Qun, who: str = XUAN) -> tuple[str, str]:
    row = await parts.membership(qun, who)
    return (row.state, row.error) if row else ("", "")
