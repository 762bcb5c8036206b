"""A shipped flow over the official Wechaty gateway, with a puppet that does not report who is a friend."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.systems import call_back
from tests.bot_process import ACCOUNT, BotProcess
from tests.official import Start, official  # noqa: F401 - a fixture
from tests.stories.business import receiving, shipped, stand_ins
from tests.stories.conftest import until

pytestmark = pytest.mark.gateway
ADMIN = "wxid_admin"


async def test_a_device_is_added(official: Start, tmp_path: Path) -> None:  # noqa: F811
    gateway = await official()
    await gateway.contact(ADMIN, "店长", friend=False)
    async with stand_ins() as systems, receiving() as receiver:
        config = {name: section for name, section in shipped(systems, 0).items() if name != "api"}
        bot = BotProcess(tmp_path, gateway, admins=[ADMIN], webhooks=[receiver.config], **config)
        try:
            await bot.start()
            await bot.ready()
            for words, count in (("增加POS机", 1), ("忠义堂", 2)):
                await gateway.say(ADMIN, words)
                await gateway.wait_sent(count, ADMIN)
            await bot.quiet()  # otherwise it could send a message twice after the kill
            await bot.kill()
            await bot.start()
            await bot.ready()
            (asked,) = systems.book.asked
            assert asked.callback.startswith(f"{bot.url}/wxbot/callback/")  # although only the port is configured
            assert await call_back(systems.book, asked, "success")
            sent = await gateway.wait_sent(3, ADMIN)
            await until(lambda: receiver.of("flow.finished"), "told")
        finally:
            await bot.kill()
    texts = [message["text"] for message in sent]
    code = asked.answer["code"]
    assert texts == ["请问哪家门店？", f"设备授权码：{code}，正在等待授权结果。", "增加POS机成功：忠义堂"]
    assert receiver.of("flow.finished")[0]["assistant"] == ACCOUNT
