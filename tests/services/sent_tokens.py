"""Join tokens sent by people, with the decision of the service committed."""

from __future__ import annotations

from services.decision import Decision
from tests.services.parts import ACCOUNT, XUAN, Parts

HOUR, DAY = 3600.0, 86400.0


BAD = "入群令牌无效，请核对后重新发送。"


async def send_token(parts: Parts, token: str, who: str = XUAN, account: str = ACCOUNT) -> Decision:
    """Pass a token to the service and commit its decision."""
    decision = await parts.container.token_joins.token_sent(account, who, token)
    if decision.write is not None:
        await parts.write(decision.write)
    if decision.after is not None:
        decision.after()
    return decision


async def send_request(parts: Parts, token: str, who: str = XUAN) -> Decision:
    decision = await parts.container.token_joins.token_in_request(ACCOUNT, who, "黑旋风", token)
    if decision.write is not None:
        await parts.write(decision.write)
    return decision
