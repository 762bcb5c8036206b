"""Canned replies: of the config and added by people."""

from __future__ import annotations

from functools import partial

import pytest

from errors import InvalidParameter, NotFound
from models.durable import Outcome
from models.support import CannedReply
from services.support.canned_replies import CannedReplies
from tests.services.parts import OpenParts, Parts
from tests.services.staffed import audited

ACTOR = "console:wxid_song"


@pytest.fixture
async def shop(open_parts: OpenParts) -> Parts:
    return await open_parts(customer_service={"faq": "", "handoff": {"canned": {"发票": "请发抬头", "地址": "人民路"}}})


def replies(parts: Parts) -> CannedReplies:
    return parts.container.canned_replies


async def put(parts: Parts, name: str, text: str) -> None:
    await parts.write(partial(replies(parts).put, name=name, text=text, actor=ACTOR))


async def test_added_reply_takes_precedence_and_is_audited(shop: Parts) -> None:
    await put(shop, "发票", "请在小程序里开票")
    await put(shop, "退货", "七天内")
    assert replies(shop).all == {"发票": "请在小程序里开票", "地址": "人民路", "退货": "七天内"}
    assert [replies(shop).is_added(name) for name in ("发票", "地址", "退货")] == [True, False, True]
    changed, added = await audited(shop, "canned")
    assert changed.detail == {"before": "请发抬头", "after": "请在小程序里开票"}
    assert added.detail == {"before": "", "after": "七天内"}
    assert (added.who, added.target, added.outcome) == (ACTOR, "退货", Outcome.DONE)
    row = await shop.read(lambda s: s.get_one(CannedReply, "退货"))
    assert (row.by, row.updated_at) == (ACTOR, shop.clock.now)


async def test_added_replies_are_loaded_at_the_start(shop: Parts) -> None:
    await put(shop, "退货", "七天内")
    again = CannedReplies(
        shop.container.store, shop.container.audit, shop.container.config.customer_service.handoff, shop.clock
    )
    await again.load()
    assert again.all["退货"] == "七天内"


async def test_removed_reply_gives_way_to_the_configured_one(shop: Parts) -> None:
    await put(shop, "发票", "请在小程序里开票")
    await shop.write(partial(replies(shop).remove, name="发票", actor=ACTOR))
    assert replies(shop).all["发票"] == "请发抬头"
    assert await shop.read(lambda s: s.get(CannedReply, "发票")) is None
    (action,) = await audited(shop, "canned_removed")
    assert (action.target, action.detail, action.outcome) == ("发票", {"before": "请在小程序里开票"}, Outcome.DONE)


@pytest.mark.parametrize("name", ["地址", "没有"])
async def test_only_added_replies_can_be_removed(shop: Parts, name: str) -> None:
    with pytest.raises(NotFound):
        await shop.write(partial(replies(shop).remove, name=name, actor=ACTOR))
    assert replies(shop).all == {"发票": "请发抬头", "地址": "人民路"}


@pytest.mark.parametrize("name", ["", "a b", "/发票", "#1", "＃1", "@小李", "名" * 21])
async def test_name_that_cannot_be_written_as_a_command_is_refused(shop: Parts, name: str) -> None:
    with pytest.raises(InvalidParameter):
        await put(shop, name, "x")
    assert await audited(shop, "canned") == []
    await put(shop, "名" * 20, "x")
