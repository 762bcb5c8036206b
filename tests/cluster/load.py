"""Load while processes die: people write, and business systems call any process until they are answered."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import aiohttp

from sandbox.world.world import World
from tests.cluster.processes import Member

SPEAKERS = ("wxid_songgongming", "wxid_heixuanfeng", "wxid_zhiduoxing", "wxid_admin")
OWNER = "wxid_songgongming"
GROUPS_AT_ONCE = 20  # of a broadcast


class ClusterLoad:
    """Generates load and counts what was sent and accepted."""

    def __init__(self, world: World, accounts: list[str], members: list[Member], per_second: float) -> None:
        self._world = world
        self._accounts = accounts
        self._members = members
        self._pause = 1 / per_second  # of people; the other pauses grow with it
        self._choice = random.Random(1)
        self.said = 0
        self.accepted: list[tuple[str, str]] = []  # account, text: messages that a process has accepted
        self.broadcasts: list[str] = []
        self.groups: dict[str, str] = {}  # code -> account
        self.statuses: Counter[int] = Counter()
        self._running = True
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        work: list[Coroutine[Any, Any, None]] = [
            self._send_messages(),
            self._message(0),
            self._message(1),
            self._make_groups(),
        ]
        self._tasks = [asyncio.create_task(coroutine) for coroutine in [*work, self._broadcast()]]

    async def stop(self) -> None:
        """Stop new requests; running ones are repeated until they are answered."""
        self._running = False
        await asyncio.gather(*self._tasks)

    async def _send_messages(self) -> None:
        while self._running:
            self.said += 1
            account, speaker = self._choice.choice(self._accounts), self._choice.choice(SPEAKERS)
            self._world.chats.say(speaker, self._world.accounts.person(account).id, f"问{self.said}")
            await asyncio.sleep(self._pause)

    async def _message(self, caller: int) -> None:
        number = 0
        async with aiohttp.ClientSession() as http:
            while self._running:
                number += 1
                account, text = self._choice.choice(self._accounts), f"知{caller}-{number}"
                body = {"assistant": account, "to": "wxid_heixuanfeng", "text": text}
                await self._until(http, "/wxbot/message", body, {202}, {"Idempotency-Key": text})
                self.accepted.append((account, text))
                await asyncio.sleep(2 * self._pause)

    async def _make_groups(self) -> None:
        number = 0
        async with aiohttp.ClientSession() as http:
            while self._running:
                number += 1
                account, code = self._choice.choice(self._accounts), f"code-{number}"
                await self._until(http, "/wxbot/qun", {"code": code, "owner": OWNER, "assistant": account}, {200, 201})
                self.groups[code] = account
                await asyncio.sleep(14 * self._pause)

    async def _broadcast(self) -> None:
        number = 0
        async with aiohttp.ClientSession() as http:
            while self._running:
                await asyncio.sleep(40 * self._pause)
                if self.groups:
                    number += 1
                    text = f"播{number}"
                    codes = self._choice.sample(sorted(self.groups), min(GROUPS_AT_ONCE, len(self.groups)))
                    body = {"quns": codes, "text": text}
                    await self._until(http, "/wxbot/broadcast", body, {202}, {"Idempotency-Key": text})
                    self.broadcasts.append(text)

    async def _until(
        self, http: aiohttp.ClientSession, path: str, body: Any, good: set[int], headers: dict[str, str] | None = None
    ) -> Any:
        while True:
            member = self._choice.choice(self._members)
            try:
                async with http.post(
                    member.url + path, json=body, headers=headers or {}, timeout=aiohttp.ClientTimeout(20)
                ) as response:
                    answer = await response.json()
                self.statuses[response.status] += 1
                if response.status in good:
                    return answer
                # 503: no holder; 502, 404: WeChat was cut off, or people are not read yet; 500 is never right
                faults = (
                    [member.last_fault() for member in self._members] if response.status not in (404, 502, 503) else []
                )
                assert response.status in (404, 502, 503), (path, body, response.status, answer, *faults)
            except (aiohttp.ClientError, OSError, TimeoutError):
                self.statuses[0] += 1
            await asyncio.sleep(0.1)
