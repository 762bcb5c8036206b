"""A bot over an official gateway, and what stories about it share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import aiohttp

from app.lifecycle import Bot
from config import Config
from tests.bot_config import NO_JOBS
from tests.official import OfficialGateway
from tests.waiting import until
from wechat.connection import Timing

ACCOUNT = "weimi1001"
STAFF_ROOM = "staff@chatroom"
ALWAYS_OPEN = {"hours": {"days": "mon-sun", "from": "00:00", "to": "24:00"}}


async def add_staff_room(gateway: OfficialGateway) -> None:
    """Add the staff room of 店长 with 宋公明 and the account."""
    me = (await gateway.status())["self"]
    await gateway.room(STAFF_ROOM, "客服值班群", [me, "wxid_song", "wxid_admin"], owner="wxid_admin")


class GatewayEnvironment:
    """A bot with an official gateway, and its REST API."""

    def __init__(self, gateway: OfficialGateway, folder: Path, tls: Any, **service: Any) -> None:
        self.gateway = gateway
        self.bot = Bot(
            Config(
                assistants=[
                    {"account": ACCOUNT, "endpoint": gateway.endpoint, "token": gateway.token, "tls": tls},
                ],
                database=f"sqlite:///{folder}/wxbot.db",
                api={"port": 0},
                admins=["wxid_admin"],
                groups={"confirm_seconds": 2},
                customer_service={"accept": {"delay_seconds": (0, 0)}, "faq": "", **service},
                pacing={"enabled": False},
                limits={"repeats": 1000},
                jobs=NO_JOBS,
            ),
            timing=Timing(create=3.0, confirm_interval=0.5),
        )

    async def __aenter__(self) -> Self:
        await self.bot.start()
        await until(lambda: self.bot.container.accounts.is_online(ACCOUNT), "online")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.bot.stop()

    async def call(self, method: str, path: str, json: Any = None, **more: Any) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.bot.port}{path}"
        async with aiohttp.request(method, url, json=json, **more) as response:
            return response.status, await response.json()

    async def group(self, code: str = "1") -> dict[str, Any]:
        body = {"code": code, "owner": "宋公明", "assistant": ACCOUNT}
        status, answer = await self.call("POST", "/wxbot/qun", body)
        assert status == 201, answer
        _, answer = await self.call("GET", "/wxbot/qun", params={"code": code})
        qun: dict[str, Any] = answer["qun"]
        return qun
