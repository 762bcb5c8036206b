"""Rules of the official API: welcome codes, delivery failures, access tokens, error codes, pages, and callbacks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from models.durable import WorkState
from protocol.wecom_crypto import CallbackCrypto
from tests.stories.official_shop import ACCOUNT, OPEN_KFID, Shop, shop
from tests.waiting import SECONDS, until
from wechat.interface import State
from wecom import codes

__all__ = ["shop"]
OPEN = "我们每天 9:00-18:00 营业。"
GREETING = "请问有什么可以帮您"


# ---- welcome ----


async def test_a_welcome_that_is_late_has_failed_and_the_customer_is_served(shop: Shop) -> None:
    await shop.online()
    shop.service.enter("黑旋风")
    shop.ahead = 21
    await shop.call_back()
    (late,) = await shop.failed()
    assert GREETING in late.body
    await shop.say("黑旋风", "营业时间")
    await shop.receives("黑旋风", OPEN)
    assert "kf/send_msg_on_event" not in shop.server.corp.calls


async def test_a_welcome_code_is_used_once(shop: Shop) -> None:
    shop.service.enter("黑旋风")
    await shop.call_back()
    await until(lambda: shop.seen("黑旋风"), "the welcome")
    await shop.until_quiet()
    wechat, who = shop.bot.container.accounts.get(ACCOUNT), shop.service.customer("黑旋风")
    await shop.say("黑旋风", "营业时间")
    await until(lambda: OPEN in shop.seen("黑旋风"), "answered")
    await wechat.send_text(who.id, "又一句", key="9001")
    assert shop.server.corp.calls.count("kf/send_msg_on_event") == 1
    assert who.sent == 2, "what follows counts among the five"
    shop.service.enter("黑旋风")  # once more, with a new code
    await shop.call_back()
    await until(lambda: sum(GREETING in text for text in shop.seen("黑旋风")) == 2, "welcomed again")
    assert who.sent == 2


# ---- delivery failures ----


async def test_each_kind_of_failed_delivery_is_reported_with_its_reason(shop: Shop) -> None:
    """A kind that is not documented is an unknown reason."""
    kinds = {f"客户{kind}": kind for kind in (*codes.FAILURES, 99)}
    for name in kinds:
        shop.service.say(name, "营业时间")
    await shop.call_back()
    await until(lambda: all(shop.seen(name) for name in kinds), "all are answered")
    await shop.until_quiet()
    for name, kind in kinds.items():
        for _ in range(2):  # a repeat changes nothing
            shop.service.fail(shop.service.customer(name).seen[0]["msgid"], name, kind)
    shop.service.fail("somebody-elses", "客户0", 4)
    await shop.call_back()

    async def failed() -> dict[str, str] | None:
        rows = await shop.rows(WorkState.FAILED)
        return {row.key: row.error for row in rows} if len(rows) == len(kinds) else None

    told = await until(failed, "all have failed")
    expected = {
        shop.service.customer(name).id: codes.FAILURES.get(kind, codes.FAILURES[0]) for name, kind in kinds.items()
    }
    assert told == expected


# ---- access tokens and error codes ----


async def test_a_restart_uses_the_token_of_before(shop: Shop) -> None:
    await shop.online()
    await shop.bot.stop()
    await shop.start_bot()
    await shop.say("黑旋风", "营业时间")
    await shop.receives("黑旋风", OPEN)
    assert shop.server.corp.calls.count("gettoken") == 1


async def test_a_rate_code_is_heeded_and_nothing_is_lost(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account stays online, and callbacks do not shorten the wait."""
    await shop.online()
    monkeypatch.setattr("wecom.account.RATE_WAITS", (0.3,))
    calls, errors = shop.server.corp.calls, shop.server.corp.errors
    for number, code in enumerate(sorted(codes.TOO_OFTEN), 1):
        errors["kf/sync_msg"] = errors["kf/send_msg"] = code
        reads, sends, began = calls.count("kf/sync_msg"), calls.count("kf/send_msg"), time.monotonic()
        await shop.say("黑旋风", "营业时间")
        for _ in range(20):
            await shop.call_back()
        assert calls.count("kf/sync_msg") - reads <= 2 + (time.monotonic() - began) / 0.3
        assert shop.bot.container.accounts.is_online(ACCOUNT), code
        del errors["kf/sync_msg"]
        await until(lambda sends=sends: calls.count("kf/send_msg") > sends, "an answer is tried")
        assert len(shop.seen("黑旋风")) == number - 1
        errors.clear()
        async with asyncio.timeout(SECONDS):
            while len(shop.seen("黑旋风")) < number:
                shop.due()  # it would wait for 30 seconds
                await asyncio.sleep(0.05)
    assert shop.seen("黑旋风") == [OPEN] * len(codes.TOO_OFTEN)


async def test_rejected_account_is_explained_to_operators(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account is rejected, not merely unreachable, and recovers automatically."""
    await shop.online()
    monkeypatch.setattr("wecom.account.WAITS", (0.05,))
    wechat, errors = shop.bot.container.accounts.get(ACCOUNT), shop.server.corp.errors
    account = [("kf/sync_msg", code, "open_kfid") for code in sorted(codes.ACCOUNT_REFUSED)]
    secret = [("gettoken", code, "corp_id 或 secret") for code in (codes.BAD_SECRET, codes.BAD_CORP)]
    async with aiohttp.ClientSession() as http:
        for call, code, says in (("kf/sync_msg", codes.IP_REFUSED, "可信IP"), *secret, *account):
            errors[call] = code
            shop.server.kill_tokens()
            await shop.call_back()
            await until(lambda: wechat.state is State.REFUSED, f"{code}: refused")
            async with http.get(f"http://127.0.0.1:{shop.bot.port}/readyz") as response:
                told = await response.text()
            assert (response.status, says in told) == (503, True), told
            errors.clear()
            await shop.online()


async def test_one_lost_response_does_not_take_the_account_offline(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    await shop.online()
    states: list[State] = []
    wechat = shop.bot.container.accounts.get(ACCOUNT)
    monkeypatch.setattr(
        "app.listener.EventListener.state_changed",
        lambda _self, _account, state, _reason: states.append(state) or asyncio.sleep(0),  # type: ignore[func-returns-value]
    )
    shop.server.corp.errors["kf/sync_msg"] = codes.BUSY
    before = shop.server.corp.calls.count("kf/sync_msg")
    await shop.call_back()
    await until(lambda: shop.server.corp.calls.count("kf/sync_msg") > before, "read")
    shop.server.corp.errors.clear()
    await shop.say("黑旋风", "营业时间")
    await shop.receives("黑旋风", OPEN)
    assert (states, wechat.state) == ([], State.ONLINE)


# ---- pages ----


async def test_messages_come_in_several_pages_some_of_them_empty(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    await shop.online()
    monkeypatch.setattr("wecom.message_reader.PAGE", 2)
    for number in range(5):
        shop.service.say(f"客户{number}", "营业时间")
    shop.service.empty_pages = 3
    before = shop.server.corp.calls.count("kf/sync_msg")
    await shop.call_back()
    await until(lambda: all(shop.seen(f"客户{n}") == [OPEN] for n in range(5)), "all are answered")
    assert shop.server.corp.calls.count("kf/sync_msg") - before >= 3 + 3


# ---- callbacks ----


class Caller:
    """Whoever calls the callback address."""

    def __init__(self, shop: Shop, http: aiohttp.ClientSession) -> None:
        self.shop = shop
        self.http = http
        self.url = f"http://127.0.0.1:{shop.bot.port}/wecom/callback/{ACCOUNT}"

    def sealed(self, crypto: CallbackCrypto, ago: float = 0) -> tuple[dict[str, str], str]:
        """Return the query and the body of a callback."""
        event = f"<xml><Event>kf_msg_or_event</Event><OpenKfId>{OPEN_KFID}</OpenKfId><Token>t</Token></xml>"
        timestamp = str(int(self.shop.clock() - ago))
        ciphertext, signature = crypto.encrypt(event.encode(), timestamp, "n")
        query = {"msg_signature": signature, "timestamp": timestamp, "nonce": "n"}
        return query, f"<xml><Encrypt>{ciphertext}</Encrypt></xml>"

    async def call(self, crypto: CallbackCrypto, ago: float = 0) -> int:
        """Call back; return the status of the response."""
        return await self.post(*self.sealed(crypto, ago))

    async def post(self, query: dict[str, str], body: str | bytes) -> int:
        async with self.http.post(self.url, params=query, data=body) as response:
            return response.status

    def reads(self) -> int:
        return self.shop.server.corp.calls.count("kf/sync_msg")


@pytest.fixture
async def caller(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Caller]:
    """A caller of an account that reads only when it is called back."""
    monkeypatch.setattr("wecom.account.FIRST_POLLS", ())
    await shop.bot.stop()
    await shop.start_bot()
    await shop.online()
    async with aiohttp.ClientSession() as http:
        yield Caller(shop, http)


async def test_repeated_callback_is_ignored(caller: Caller) -> None:
    before, callback = caller.reads(), caller.sealed(caller.shop.server.crypto)
    assert await caller.post(*callback) == 200
    await until(lambda: caller.reads() == before + 1, "it is read")
    for _ in range(3):
        assert await caller.post(*callback) == 200
        await caller.shop.bot.container.store.read(lambda s: None)  # a reading would begin in between
    assert await caller.call(caller.shop.server.crypto) == 200, "another one"
    await until(lambda: caller.reads() > before + 1, "it is read")
    await caller.shop.say("黑旋风", "营业时间")
    await caller.shop.receives("黑旋风", OPEN)
    assert caller.reads() == before + 3


async def test_callbacks_that_are_old_forged_or_for_another_corp_are_refused(caller: Caller) -> None:
    shop, before = caller.shop, caller.reads()
    corp = shop.server.corp
    assert await caller.call(shop.server.crypto, 3600) == 403
    assert await caller.call(shop.server.crypto, -3600) == 403
    assert await caller.call(CallbackCrypto(corp.callback_token, corp.aes_key, "ww-another")) == 403
    assert await caller.call(CallbackCrypto("another-token", corp.aes_key, corp.corp_id)) == 403
    assert await caller.call(CallbackCrypto(corp.callback_token, "b" * 43, corp.corp_id)) == 403
    query = {"msg_signature": "x", "timestamp": "nonsense", "nonce": "n"}
    for body in ("", "<xml/>", "<xml><Encrypt>x</Encrypt></xml>", '<!DOCTYPE x [<!ENTITY e "e">]><xml>&e;</xml>'):
        assert await caller.post(query, body) == 403
    assert await caller.post(query, b"x" * (64 * 1024 + 1)) == 413
    assert caller.reads() == before
    await shop.say("黑旋风", "营业时间")
    await shop.receives("黑旋风", OPEN)
