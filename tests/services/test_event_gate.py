"""Config reloads concurrent with event handling."""

from __future__ import annotations

import asyncio

from services.work.event_gate import EventGate

LONG = 60.0


class Settings:
    """Two settings that change together; an event reads one, waits, and reads the other."""

    def __init__(self, max_wait: float = LONG) -> None:
        self.gate = EventGate(max_wait)
        self.first = self.second = 1
        self.began = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def event(self) -> tuple[int, int]:
        async with self.gate.handling():
            first = self.first
            self.began.set()
            await self.goes_on.wait()
            return first, self.second

    async def reload(self) -> None:
        async with self.gate.paused():
            self.first = self.second = 2


async def test_event_sees_settings_before_or_after_a_reload() -> None:
    settings = Settings()
    running = asyncio.create_task(settings.event())
    await settings.began.wait()
    reload = asyncio.create_task(settings.reload())
    await asyncio.sleep(0)
    settings.began.clear()
    later = asyncio.create_task(settings.event())
    await asyncio.sleep(0)
    assert not settings.began.is_set() and not reload.done()
    settings.goes_on.set()
    assert await running == (1, 1)
    await reload
    assert await later == (2, 2)


async def test_hanging_event_does_not_block_a_reload() -> None:
    settings = Settings(max_wait=0.01)
    running = asyncio.create_task(settings.event())
    await settings.began.wait()
    await settings.reload()
    assert settings.first == 2
    settings.goes_on.set()
    await running


async def test_event_may_trigger_a_reload_itself() -> None:
    settings = Settings()
    async with settings.gate.handling():
        await settings.reload()
    assert settings.first == 2
    settings.goes_on.set()
    assert await settings.event() == (2, 2)
