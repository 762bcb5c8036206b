"""A shipped flow over the official Wechaty gateway, with a puppet that does not report friendships."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.texts import Texts
from sandbox.systems import call_back
from tests.bot_process import ACCOUNT, BotProcess
from tests.official import OfficialGateway, Start, official  # noqa: F401 - a fixture
from tests.stories.business import receiving, shipped_config, stand_ins
from tests.waiting import until

pytestmark = pytest.mark.gateway
ADMIN = "wxid_admin"


async def received(gateway: OfficialGateway, answer: str) -> list[str]:
    """Wait for a message to 店长; return all texts so far, without notices of slow calls."""
    count = 0
    while True:
        sent = [message["text"] for message in await gateway.wait_sent(count + 1, ADMIN)]
        if any(answer in text for text in sent):
            return [text for text in sent if text != Texts().flow_still_calling]
        count = len(sent)


async def test_device_flow_completes(official: Start, tmp_path: Path) -> None:  # noqa: F811
    gateway = await official()
    await gateway.contact(ADMIN, "店长", friend=False)
    async with stand_ins() as systems, receiving() as receiver:
        config = {name: section for name, section in shipped_config(systems, 0).items() if name != "api"}
        bot = BotProcess(tmp_path, gateway, preloaded=True, admins=[ADMIN], webhooks=[receiver.config], **config)
        try:
            await bot.start()
            await bot.ready()
            for text, answer in (("增加POS机", "请问哪家门店？"), ("忠义堂", "设备授权码")):
                await gateway.say(ADMIN, text)
                await received(gateway, answer)
            await bot.wait_idle()  # otherwise it could send a message twice after the kill
            await bot.kill()
            await bot.start()
            await bot.ready()
            (asked,) = systems.request_log.requests
            assert asked.callback.startswith(f"{bot.url}/wxbot/callback/")  # although only the port is configured
            assert await call_back(systems.request_log, asked, "success")
            texts = await received(gateway, "增加POS机成功")
            await until(lambda: receiver.of("flow.finished"), "told")
        finally:
            await bot.kill()
    code = asked.answer["code"]
    assert texts == ["请问哪家门店？", f"设备授权码：{code}，正在等待授权结果。", "增加POS机成功：忠义堂"]
    assert receiver.of("flow.finished")[0]["assistant"] == ACCOUNT
