"""A bot on the official channel with a pool of 客户群."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.wecom.groups import GroupService
from tests.stories.official_shop import ACCOUNT, Shop
from tests.waiting import until
from wechat.directory import CachedDirectory

OWNER = "SongGongMing"


class GroupShop(Shop):
    """A bot with an assistant that has a pool of groups."""

    groups: GroupService
    overflow = False
    pool: list[str]

    async def start_bot(self) -> None:
        self.assistant = {"groups": {"pool": self.pool, "room_base_name": "梁山群", "room_base_id": 2}}
        self.extra = {"groups": {"overflow": self.overflow}}
        await super().start_bot()

    async def request(self, method: str, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        url = f"http://127.0.0.1:{self.bot.port}{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body or None) as response:
            return response.status, await response.json() if response.status != 204 else {}

    async def until_shown(self, path: str, key: str, check: Callable[[Any], bool]) -> Any:
        """Wait until what the API shows under this key is as it should be."""
        shown: Any = None

        async def is_right() -> bool:
            nonlocal shown
            shown = (await self.request("GET", path))[1][key]
            return check(shown)

        await until(is_right, lambda: f"{path} shows {shown}")
        return shown

    async def until_members(self, count: int) -> None:
        await self.until_shown("/wxbot/qun?code=c1", "qun", lambda qun: qun["members"] == count)

    async def qun(self, code: str = "c1") -> dict[str, Any]:
        status, _ = await self.request("POST", "/wxbot/qun", code=code, owner=OWNER, assistant=ACCOUNT)
        assert status == 201
        found: dict[str, Any] = (await self.request("GET", f"/wxbot/qun?code={code}"))[1]["qun"]
        return found

    async def changed(self, chat_id: str) -> None:
        url = f"http://127.0.0.1:{self.bot.port}/wecom/callback/{ACCOUNT}"
        assert await self.server.call_back_group(url, chat_id) == 200

    def way(self) -> str:
        (config_id,) = self.groups.join_ways
        return config_id


@pytest.fixture
async def group_shop(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[GroupShop]:
    monkeypatch.setattr("wecom.groups.REREAD_DELAYS", (0.0, 0.5, 1.0, 2.0, 5.0))
    monkeypatch.setattr("wecom.account.CachedDirectory", partial(CachedDirectory, 0.4))
    shop = GroupShop(tmp_path)
    shop.overflow = getattr(request, "param", False)
    shop.groups = shop.server.groups = GroupService(shop.clock, capacity=3)
    shop.pool = [shop.groups.make("梁山一群", OWNER, "宋公明")]
    await shop.open()
    await shop.online()
    yield shop
    await shop.close()
