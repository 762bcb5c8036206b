"""Wrong join tokens: counted, answered, and blocked for an hour."""

from __future__ import annotations

import pytest
from sqlmodel import select

from models.groups import QunState, TokenMiss
from services.groups.lifecycle import new_token
from tests.services.parts import ACCOUNT, XUAN, Parts
from tests.services.sent_tokens import BAD, HOUR, send_request, send_token


async def record_wrong_tokens(parts: Parts, *ages: float, who: str = XUAN, account: str = ACCOUNT) -> None:
    """Record wrong tokens sent so many seconds ago."""
    now = parts.clock.now
    await parts.write(lambda s: s.add_all([TokenMiss(account=account, contact_id=who, at=now - age) for age in ages]))


async def test_fifth_wrong_token_is_the_last_one_answered(parts: Parts) -> None:
    qun = await parts.group()
    for _ in range(5):
        assert (await send_token(parts, new_token())).reply == BAD
        parts.clock.now += 1
    assert (await send_token(parts, new_token())).reply == ""
    assert (await send_token(parts, qun.token)).reply == ""
    assert await parts.membership(qun, XUAN) is None
    assert (await send_token(parts, qun.token, "wxid_zhi")).reply != "", "nobody else is meant"


@pytest.mark.parametrize(
    ("between", "answered"),
    [(HOUR - 1, False), (HOUR, True), (HOUR + 1, True)],
)
async def test_five_wrong_tokens_over_an_hour_do_not_block(parts: Parts, between: float, answered: bool) -> None:
    await record_wrong_tokens(parts, between, 300, 200, 100, 0)
    assert ((await send_token(parts, new_token())).reply == BAD) is answered


async def test_last_five_wrong_tokens_count(parts: Parts) -> None:
    await record_wrong_tokens(parts, 5 * HOUR, 4 * HOUR, 400, 300, 200, 100, 0)
    assert (await send_token(parts, new_token())).reply == ""


@pytest.mark.parametrize(("after", "answered"), [(HOUR - 1, False), (HOUR, True)])
async def test_block_lasts_an_hour(parts: Parts, after: float, answered: bool) -> None:
    qun = await parts.group()
    await record_wrong_tokens(parts, 40, 30, 20, 10, 0)
    parts.clock.now += after
    assert bool((await send_token(parts, qun.token)).reply) is answered
    assert bool((await send_request(parts, qun.token)).may_accept) is answered


async def test_four_wrong_tokens_do_not_block(parts: Parts) -> None:
    await record_wrong_tokens(parts, 3, 2, 1, 0)
    assert (await send_token(parts, new_token())).reply == BAD


async def test_accounts_are_counted_separately(parts: Parts) -> None:
    await record_wrong_tokens(parts, 4, 3, 2, 1, 0, account="weimi1002")
    assert (await send_token(parts, new_token())).reply == BAD


async def test_wrong_token_in_friend_request_counts(parts: Parts) -> None:
    await record_wrong_tokens(parts, 4, 3, 2, 1)
    assert (await send_request(parts, new_token())).reply == BAD
    assert (await send_token(parts, new_token())).reply == ""


async def test_expired_or_closed_token_does_not_count(parts: Parts) -> None:
    qun = await parts.group()
    await record_wrong_tokens(parts, 4, 3, 2, 1)
    await parts.container.groups.change(qun.number, token_expires_at=1.0)
    for _ in range(3):
        assert "已过期" in (await send_token(parts, qun.token)).reply
    await parts.container.groups.change(qun.number, token_expires_at=None, state=QunState.LOST)
    closed = parts.container.config.texts.join_closed
    for _ in range(3):
        assert (await send_token(parts, qun.token)).reply == closed
    assert len(await parts.read(lambda s: s.exec(select(TokenMiss)).all())) == 4
