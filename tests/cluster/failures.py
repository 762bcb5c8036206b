"""Failures of processes and connections, which overlap: no failure waits until the earlier ones are over."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from tests.cluster.chaos_cluster import ChaosCluster
from tests.cluster.processes import Member
from tests.cluster.proxy import Proxy
from tests.databases import restart_postgres
from tests.waiting import until

MOMENTS: Final = ("any time", "during a call to WeChat", "within a transaction")  # in turn
MOMENT_SECONDS: Final = 5.0  # for which a moment is waited for
ATTEMPT_SECONDS: Final = 0.01


class Failures:
    """Makes processes and connections of a cluster fail. `seed` repeats the choices, not the timing.

    `counts`: the failures by kind.
    """

    def __init__(self, env: ChaosCluster, seed: int) -> None:
        self._env = env
        self._choice = random.Random(seed)
        self._running: set[asyncio.Task[None]] = set()  # failures that will end
        self.counts: Counter[str] = Counter()
        self.cut_accounts: set[str] = set()  # whose gateway was ever cut off

    async def kill(self, count: int, interval: float) -> None:
        """kill -9 of a random process every `interval` seconds on average; it is started again at once."""
        for _ in range(count):
            victim = await self._next_victim(interval)
            at = time.monotonic()
            await victim.kill()
            await self._env.times.lost(victim, "kill -9", at)
            await victim.start()
            self.counts["kill -9"] += 1

    async def freeze(self, count: int, interval: float, seconds: tuple[float, float], at_once: int) -> None:
        """Freeze random processes for a random time, up to `at_once` of them at the same time."""
        for number in range(count):
            await self._fewer_than(at_once)
            victim = await self._next_victim(interval)
            moment, at = await self._stop_at(victim, MOMENTS[number % len(MOMENTS)])
            await self._env.times.lost(victim, f"frozen {moment}", at)
            self.counts[f"SIGSTOP {moment}"] += 1
            self._start(self._later(self._choice.uniform(*seconds), victim.thaw))

    async def cut(self, count: int, interval: float) -> None:
        """Cut connections for some seconds: of one process to PostgreSQL, and of some gateways.

        The connections to PostgreSQL are closed, or no longer forwarded, in turn.
        """
        for number in range(count):
            await self._fewer_than(4)
            victim = await self._next_victim(interval)
            proxy, at = self._env.to_database[self._env.members.index(victim)], time.monotonic()
            victim.cut_off = True
            if number % 2:
                proxy.freeze()
            else:
                proxy.cut()
            await self._env.times.lost(victim, "PostgreSQL silent" if number % 2 else "PostgreSQL cut", at)
            self.counts["PostgreSQL silent" if number % 2 else "PostgreSQL cut"] += 1
            self._start(self._later(self._choice.uniform(4, 15), partial(self._restore, victim, proxy)))
            for account in self._choice.sample(self._env.accounts, max(1, len(self._env.accounts) // 50)):
                self._cut_gateway(account)

    async def restart_postgres(self, count: int, interval: float) -> None:
        """Restart PostgreSQL, which ends all its sessions."""
        for _ in range(count):
            await asyncio.sleep(interval)
            await asyncio.to_thread(restart_postgres, self._env.database)
            self.counts["restart of PostgreSQL"] += 1
            await self._env.times.settled()

    async def restart_in_turn(self, count: int) -> None:
        """Stop processes by SIGTERM and start them again, one after the other, as an upgrade does."""
        for member in self._env.members[:count]:
            code, seconds = await member.terminate()
            assert code == 0, f"exit {code} after {seconds:.1f} s\n{member.log()[-2000:]}"
            await member.start()
            await until(partial(self._is_silent, member))
            await self._env.times.settled()
            self.counts["SIGTERM"] += 1

    async def over(self) -> None:
        """Wait until all failures have ended."""
        while self._running:
            await asyncio.gather(*self._running)

    # ---- details ----

    async def _next_victim(self, interval: float) -> Member:
        await asyncio.sleep(self._choice.uniform(0.5, 1.5) * interval)
        may_fail = self._env.times.may_fail
        await until(lambda: any(map(may_fail, self._env.members)), "a process may fail")
        return self._choice.choice([member for member in self._env.members if may_fail(member)])

    async def _fewer_than(self, most: int) -> None:
        while len(self._running) >= most:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _later(self, seconds: float, then: Callable[[], object]) -> None:
        await asyncio.sleep(seconds)
        then()

    def _is_silent(self, member: Member) -> bool:
        return member.name not in self._env.times.answering

    def _restore(self, victim: Member, proxy: Proxy) -> None:
        proxy.restore()
        victim.cut_off = False

    def _cut_gateway(self, account: str) -> None:
        if account in self._env.times.without_gateway:
            return
        self._env.times.without_gateway.add(account)
        self.cut_accounts.add(account)
        self._env.to_gateway[account].cut()
        self.counts["gateway cut"] += 1

        def restore() -> None:
            self._env.to_gateway[account].restore()
            self._env.times.without_gateway.discard(account)

        self._start(self._later(self._choice.uniform(0.5, 5), restore))

    async def _stop_at(self, victim: Member, moment: str) -> tuple[str, float]:
        """Stop a process at a moment; return the moment, which may not have come in time, and the time."""
        came = True
        if moment == MOMENTS[1]:
            came = await self._stop_during_call(victim)
        elif moment == MOMENTS[2]:
            came = await self._stop_in_transaction(victim)
        at = time.monotonic()
        victim.freeze()
        return moment if came else MOMENTS[0], at

    async def _stop_during_call(self, victim: Member) -> bool:
        """Stop a process when its gateway has received a message from it and has not answered yet."""
        accounts, called = await self._env.held_by(victim), asyncio.Event()

        def on_call(account: str, name: str) -> None:
            if account in accounts and name.startswith("MessageSend") and not called.is_set():
                victim.freeze()
                called.set()

        self._env.on_call.append(on_call)
        try:
            async with asyncio.timeout(MOMENT_SECONDS):
                await called.wait()
        except TimeoutError:
            return False
        finally:
            self._env.on_call.remove(on_call)
        return True

    async def _stop_in_transaction(self, victim: Member) -> bool:
        """Stop a process again and again until one of its transactions is open."""
        deadline = time.monotonic() + MOMENT_SECONDS
        while time.monotonic() < deadline:
            victim.freeze()
            await asyncio.sleep(ATTEMPT_SECONDS)  # PostgreSQL ends the statement that is running
            if await self._env.times.is_in_transaction(victim):
                return True
            victim.thaw()
            await asyncio.sleep(self._choice.uniform(1, 3) * ATTEMPT_SECONDS)
        return False
