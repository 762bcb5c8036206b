"""Customer service over both channels, and features of the official one: welcome codes, allowances, unique
message ids.
"""

from __future__ import annotations

import aiohttp
import pytest

from models.durable import WorkState
from models.wecom import WecomAccountRow
from tests.stories.official_shop import ACCOUNT, FALLBACK, LONG_PARTS, GatewayChannel, Shop, channel, shop
from tests.waiting import until
from wechat.interface import State

__all__ = ["channel", "shop"]
CONNECTING = "正在为您转接人工客服，请稍候。"
AWAY = "暂时联系不上人工客服，已记下您的请求，会尽快回复您。"


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("营业时间", "我们每天 9:00-18:00 营业。"),
        ("请问发票怎么开", "开发票请发抬头和税号。"),
        ("会员，怎么办理？", "绑定手机号即可。"),
        ("今天天气真好", FALLBACK),
    ],
)
async def test_customer_is_answered(channel: GatewayChannel | Shop, said: str, answer: str) -> None:
    await channel.say("黑旋风", said)
    await until(lambda: answer in channel.seen("黑旋风"), f"{said} is answered")


async def test_request_for_a_person_is_answered(channel: GatewayChannel | Shop) -> None:
    """Over a gateway there is no staff room here; on the official channel staff use the console."""
    await channel.say("黑旋风", "转人工")
    expected = CONNECTING if isinstance(channel, Shop) else AWAY
    await until(lambda: channel.seen("黑旋风") == [expected], "the customer is told")


# ---- the official channel ----


async def test_callback_signatures_are_verified(shop: Shop) -> None:
    url = f"http://127.0.0.1:{shop.bot.port}/wecom/callback/{ACCOUNT}"
    echo, signature = shop.server.crypto.encrypt(b"4711", "1", "n")
    query = {"msg_signature": signature, "timestamp": "1", "nonce": "n", "echostr": echo}
    outside = {"X-Forwarded-For": "8.8.8.8"}
    async with aiohttp.ClientSession() as http:
        async with http.get(url, params=query, headers=outside) as response:
            assert (response.status, await response.read()) == (200, b"4711")
        async with http.get(url, params=query | {"nonce": "m"}) as response:
            assert (response.status, (await response.json())["error"]["code"]) == (403, 1002)
        async with http.post(url, params=query, data=b"<xml><Encrypt>x</Encrypt></xml>") as response:
            assert response.status == 403
        async with http.post(url, params=query, data=b"no xml at all") as response:
            assert response.status == 403
        async with http.get(url.replace(ACCOUNT, "nobody"), params=query) as response:
            assert response.status == 404


async def test_more_than_five_texts_are_joined(shop: Shop) -> None:
    """One of the five messages is kept for a later reply."""
    await shop.say("黑旋风", "八条")
    joined = ("第1条", "第2条", "第3条", "第4条\n第5条\n第6条\n第7条\n第8条")
    await shop.receives("黑旋风", *joined)
    await until(lambda: shop.all_sent(8), "all eight are noted as sent")
    await shop.say("黑旋风", "营业时间")
    await shop.receives("黑旋风", *joined, "我们每天 9:00-18:00 营业。")


async def test_messages_over_the_allowance_wait_for_the_customer(shop: Shop) -> None:
    await shop.say("黑旋风", "长文")
    await shop.receives("黑旋风", *LONG_PARTS[:5])
    customer, container = shop.service.customer("黑旋风").id, shop.bot.container
    for n in range(1, 6):
        await container.store.write(lambda s, n=n: container.messages.queue(s, ACCOUNT, customer, f"通知{n}"))  # type: ignore[misc]
    await shop.bot.stop()
    await shop.start_bot()
    await shop.say("黑旋风", "营业时间")
    await until(lambda: shop.all_sent(12), "all are noted as sent")
    texts = [*LONG_PARTS, *(f"通知{n}" for n in range(1, 6)), "我们每天 9:00-18:00 营业。"]
    assert "\n".join(shop.seen("黑旋风")) == "\n".join(texts)
    assert len(shop.seen("黑旋风")) <= 10


async def test_joined_texts_are_sent_once_and_complete_together_after_restart(shop: Shop) -> None:
    await shop.say("黑旋风", "营业时间")
    await shop.receives("黑旋风", "我们每天 9:00-18:00 营业。")
    await shop.until_quiet()
    shop.server.corp.errors["kf/send_msg"] = -1  # nothing can be sent, but the texts behind the first are joined
    await shop.say("黑旋风", "八条")
    await until(lambda: joined_rows(shop, 4), "four texts are joined to the one before")
    await shop.bot.stop()
    shop.server.corp.errors.clear()
    await shop.start_bot()
    rest = ("第1条", "第2条", "第3条", "第4条\n第5条\n第6条\n第7条\n第8条")
    await shop.receives("黑旋风", "我们每天 9:00-18:00 营业。", *rest)
    await until(lambda: shop.all_sent(9), "all are noted as sent")
    shop.service.fail(shop.service.customer("黑旋风").seen[-1]["msgid"], "黑旋风", 10)
    await shop.call_back()
    await until(lambda: failed_rows(shop, 5), "what was sent as one has failed as one")


async def joined_rows(shop: Shop, count: int) -> bool:
    return sum('"into"' in row.body for row in await shop.rows(WorkState.QUEUED)) == count


async def failed_rows(shop: Shop, count: int) -> bool:
    return len(await shop.rows(WorkState.FAILED)) == count


async def test_message_waiting_over_48_hours_fails(shop: Shop) -> None:
    await shop.say("黑旋风", "长文")
    await shop.receives("黑旋风", *LONG_PARTS[:5])
    shop.ahead = 48 * 3600 + 1
    (item,) = await shop.failed()
    assert "48 hours" in item.error


async def test_lost_response_is_retried_with_the_same_message_id(shop: Shop) -> None:
    shop.server.corp.lost = {"kf/send_msg"}
    await shop.say("黑旋风", "营业时间")
    await shop.say("黑旋风", "发票")
    await shop.receives("黑旋风", "我们每天 9:00-18:00 营业。", "开发票请发抬头和税号。")
    assert shop.server.corp.calls.count("kf/send_msg") == 3


async def test_messages_during_downtime_are_answered_once(shop: Shop) -> None:
    await shop.say("黑旋风", "营业时间")
    await shop.receives("黑旋风", "我们每天 9:00-18:00 营业。")
    await shop.bot.stop()
    shop.service.say("黑旋风", "发票")
    shop.service.empty_pages = 2
    await shop.start_bot()
    await shop.receives("黑旋风", "我们每天 9:00-18:00 营业。", "开发票请发抬头和税号。")
    row = await shop.bot.container.store.read(lambda s: s.get(WecomAccountRow, ACCOUNT))
    assert row is not None
    assert row.cursor == "c2"


async def test_entering_customer_is_welcomed_with_the_code(shop: Shop) -> None:
    shop.service.enter("黑旋风")
    await shop.call_back()
    await until(lambda: shop.seen("黑旋风"), "the welcome")
    assert "请问有什么可以帮您" in shop.seen("黑旋风")[0]
    assert shop.service.customer("黑旋风").sent == 0
    assert "kf/send_msg_on_event" in shop.server.corp.calls


async def test_near_questions_become_a_menu(shop: Shop) -> None:
    await shop.say("黑旋风", "会员怎么弄呀")
    await until(lambda: shop.seen("黑旋风"), "the menu")
    (menu,) = shop.service.customer("黑旋风").seen
    offered = [item["click"]["content"] for item in menu["msgmenu"]["list"]]
    assert (menu["msgtype"], menu["msgmenu"]["head_content"], len(offered)) == ("msgmenu", "您是不是想问：", 3)
    await shop.say("黑旋风", offered[offered.index("会员积分怎么查")])
    await until(lambda: "在“我的”里查。" in shop.seen("黑旋风"), "the answer")


async def test_undelivered_message_is_failed(shop: Shop) -> None:
    await shop.say("黑旋风", "营业时间")
    await shop.receives("黑旋风", "我们每天 9:00-18:00 营业。")
    await until(lambda: not any(shop.bot.container.outbox.waiting().values()), "sent")
    await shop.bot.container.outbox.results._end_batcher.drain()
    shop.service.fail(shop.service.customer("黑旋风").seen[0]["msgid"], "黑旋风", 10)
    await shop.call_back()
    (item,) = await shop.failed()
    assert item.error == "the customer refuses messages"


async def test_invalidated_token_is_replaced_and_rate_limits_respected(shop: Shop) -> None:
    await shop.online()
    shop.server.kill_tokens()
    await shop.say("黑旋风", "营业时间")
    await shop.receives("黑旋风", "我们每天 9:00-18:00 营业。")
    assert shop.server.corp.calls.count("gettoken") == 2


async def test_untrusted_server_address_is_reported(shop: Shop) -> None:
    await shop.online()
    shop.server.corp.trusted = False
    await shop.call_back()
    wechat = shop.bot.container.accounts.get(ACCOUNT)
    await until(lambda: wechat.state is State.REFUSED, "refused")
    assert wechat.reason is not None
    assert "可信IP" in wechat.reason.text("zh")
    shop.server.corp.trusted = True
    await shop.say("黑旋风", "营业时间")
    await shop.receives("黑旋风", "我们每天 9:00-18:00 营业。")


async def test_unsupported_calls_return_501(shop: Shop) -> None:
    await shop.online()
    base = f"http://127.0.0.1:{shop.bot.port}"
    async with aiohttp.ClientSession() as http:
        body = {"code": "c1", "owner": "宋公明", "assistant": ACCOUNT}
        async with http.post(f"{base}/wxbot/qun", json=body) as response:
            assert response.status == 501
            assert await response.json() == {"error": {"code": 2007, "message": "该渠道不支持此操作！"}}
        async with http.get(f"{base}/wxbot/assistant") as response:
            (listed,) = (await response.json())["assistants"]
    assert "send_once" in listed["capabilities"]
    assert "create_room" not in listed["capabilities"]


async def test_half_an_emoji_in_a_name_or_message_stops_nobody(shop: Shop) -> None:
    """JSON escapes can hold half of a surrogate pair, which no database stores."""
    broken = "李\ud83d逵"
    await shop.say(broken, "开发票\ud83d")
    await shop.say("武松", "营业时间")
    await shop.receives("武松", "我们每天 9:00-18:00 营业。")
    await shop.receives(broken, "开发票请发抬头和税号。")
    assert [c.name for c in shop.bot.container.accounts.get(ACCOUNT).directory.contacts.values()] == ["李�逵", "武松"]
