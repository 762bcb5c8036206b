"""SingleFlight: one task per key, shared by equal requests. gather_or_cancel: nothing is left running."""

from __future__ import annotations

import asyncio

import pytest

from concurrency import SingleFlight, gather_or_cancel


async def test_equal_requests_share_one_task() -> None:
    flight, release, calls = SingleFlight[str, int](), asyncio.Event(), []

    async def call() -> int:
        calls.append(1)
        await release.wait()
        return len(calls)

    waiting = [asyncio.create_task(flight.run("a", call)) for _ in range(5)]
    await asyncio.sleep(0)
    assert "a" in flight
    release.set()
    assert await asyncio.gather(*waiting) == [1] * 5
    assert "a" not in flight
    assert await flight.run("a", call) == 2  # the next request runs again


async def test_another_request_waits_and_then_runs() -> None:
    flight, release, order = SingleFlight[str, str](), asyncio.Event(), []

    async def call(name: str) -> str:
        order.append(f"{name} begins")
        await release.wait()
        order.append(f"{name} ends")
        return name

    first = asyncio.create_task(flight.run("a", lambda: call("first"), request=1))
    await asyncio.sleep(0)
    second = asyncio.create_task(flight.run("a", lambda: call("second"), request=2))
    await asyncio.sleep(0)
    assert order == ["first begins"]
    release.set()
    assert (await first, await second) == ("first", "second")
    assert order == ["first begins", "first ends", "second begins", "second ends"]


async def test_a_cancelled_caller_does_not_cancel_the_task() -> None:
    flight, release = SingleFlight[str, int](), asyncio.Event()

    async def call() -> int:
        await release.wait()
        return 7

    first, second = (asyncio.create_task(flight.run("a", call)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    release.set()
    assert await second == 7


async def test_failure_reaches_every_caller_and_the_log() -> None:
    told: list[tuple[str, str]] = []
    flight = SingleFlight[str, int](lambda key, error: told.append((key, str(error))))

    async def call() -> int:
        raise ValueError("no")

    results = await asyncio.gather(flight.run("a", call), flight.run("a", call), return_exceptions=True)
    assert [str(result) for result in results] == ["no", "no"]
    assert told == [("a", "no")]


async def test_close_cancels_running_tasks() -> None:
    flight = SingleFlight[str, int]()

    async def forever() -> int:
        await asyncio.Event().wait()
        return 1

    waiting = asyncio.create_task(flight.run("a", forever))
    await asyncio.sleep(0)
    await flight.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert "a" not in flight


async def test_failure_cancels_the_others_and_is_raised() -> None:
    ended = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(1)

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        await gather_or_cancel(wait(), fail(), wait())
    assert ended == [1, 1]


async def test_all_coroutines_are_run() -> None:
    ran = []

    async def run(number: int) -> None:
        ran.append(number)

    await gather_or_cancel(*map(run, range(3)))
    assert sorted(ran) == [0, 1, 2]
