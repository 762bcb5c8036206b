"""The unmodified python-wechaty SDK answering messages as in its examples (imported by wechat.compat)."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler


def main(endpoint: str, token: str) -> None:
    """Answer 问N with 答N."""
    os.environ["TOKEN"] = os.environ["WECHATY_PUPPET_SERVICE_TOKEN"] = token
    os.environ["WECHATY_PUPPET_SERVICE_ENDPOINT"] = endpoint
    from wechat.compat import PuppetOptions, PuppetService, Wechaty, WechatyOptions

    class Bot(Wechaty):
        async def on_message(self, msg: Any) -> None:
            text = msg.text()
            if text.startswith("问"):
                await msg.talker().say(f"答{text[1:]}")

    async def start() -> None:
        for name in list(logging.root.manager.loggerDict):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        puppet = PuppetService(PuppetOptions(end_point=endpoint, token=token))
        scheduler = AsyncIOScheduler()  # the SDK's default needs the job database that compat leaves out
        bot = Bot(WechatyOptions(name="bench", puppet=puppet, scheduler=scheduler))

        async def no_plugins(*_args: Any, **_more: Any) -> None:
            """Do nothing: the plugin manager would listen on port 5000."""

        bot._plugin_manager.start = no_plugins
        print("ready", flush=True)
        await bot.start()

    asyncio.run(start())


if __name__ == "__main__":
    main(*sys.argv[1:])
