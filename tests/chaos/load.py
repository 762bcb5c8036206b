"""Load for the chaos tests: messages and REST calls, each repeated until it is answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import aiohttp

from tests.bot_process import ACCOUNT, BotProcess
from tests.official import ControlError, OfficialGateway

AWAY = (aiohttp.ClientError, OSError, TimeoutError, AssertionError, ControlError)
PEOPLE = 12
OWNER = "c0"


class Load:
    """Generates load and records what was accepted."""

    def __init__(self, bot: BotProcess, gateway: OfficialGateway) -> None:
        self.bot = bot
        self.gateway = gateway
        self.accepted: list[str] = []  # texts accepted by REST
        self.groups: dict[str, str] = {}  # code -> url, once created
        self.joined: list[tuple[str, str]] = []  # code, member
        self.statuses: Counter[int] = Counter()
        self.number = 0
        self._running = True
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start."""
        work: list[Coroutine[Any, Any, None]] = [self._send_messages(), self._make_groups()]
        work += [self._call_messages(caller) for caller in range(3)]
        self._tasks = [asyncio.create_task(coroutine) for coroutine in work]

    async def stop(self) -> None:
        """Stop new requests; running ones are repeated until they are answered."""
        self._running = False
        await asyncio.gather(*self._tasks)

    async def _send_messages(self) -> None:
        while self._running:
            self.number += 1
            try:
                await asyncio.wait_for(self.gateway.say(f"c{self.number % PEOPLE}", f"问{self.number}"), 2)
            except (*AWAY, RuntimeError):  # RuntimeError: the session was closed for the restart
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.005)

    async def _call_messages(self, caller: int) -> None:
        number = 0
        async with self._session() as http:
            while self._running:
                number += 1
                text = f"知{caller}-{number}"
                body = {"assistant": ACCOUNT, "to": f"c{caller}", "text": text}
                await self._until(http, "/wxbot/message", body, {202}, {"Idempotency-Key": text})
                self.accepted.append(text)
                await asyncio.sleep(0.03)

    async def _make_groups(self) -> None:
        number = 0
        async with self._session() as http:
            while self._running:
                number += 1
                code = f"code-{number}"
                body = {"code": code, "owner": OWNER, "assistant": ACCOUNT}
                answer = await self._until(http, "/wxbot/qun", body, {200, 201})
                self.groups[code] = answer["qun_create_response"]["url"]
                token = await self._token(http, code)
                for member in ("c5", "c6"):
                    await self._until(http, "/wxbot/qun/membership", {"token": token, "member": member}, {200})
                    self.joined.append((code, member))
                await asyncio.sleep(0.2)

    async def _token(self, http: aiohttp.ClientSession, code: str) -> str:
        while True:
            try:
                async with http.get(f"{self.bot.url}/wxbot/qun", params={"code": code}) as response:
                    return str((await response.json())["qun"]["token"])
            except (*AWAY, KeyError):
                await asyncio.sleep(0.05)

    async def _until(
        self, http: aiohttp.ClientSession, path: str, body: Any, good: set[int], headers: dict[str, str] | None = None
    ) -> Any:
        while True:
            try:
                async with http.post(self.bot.url + path, json=body, headers=headers or {}) as response:
                    answer = await response.json()
                self.statuses[response.status] += 1
                if response.status in good:
                    return answer
                # 202: invited or pending, which cannot occur here; 503, 502, 404 while contacts are unread
                assert response.status in (202, 404, 502, 503), (path, body, response.status, answer)
            except AWAY as error:
                if isinstance(error, AssertionError):
                    raise
            await asyncio.sleep(0.05)

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
