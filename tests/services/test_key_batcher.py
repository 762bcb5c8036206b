"""Calls that are batched by key."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy.exc import OperationalError

from services.work.key_batcher import KeyBatcher

KEYS = [f"k{number}" for number in range(50)]


class Work:
    """Records its calls; fails for the keys in `bad`."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.bad: dict[str, Exception] = {}

    async def __call__(self, keys: Sequence[str]) -> None:
        self.calls.append(list(keys))
        await asyncio.sleep(0)
        for key in keys:
            if key in self.bad:
                raise self.bad[key]


async def outcomes(batcher: KeyBatcher) -> dict[str, BaseException | None]:
    """The exception of each key, None for those that were done."""
    return dict(zip(KEYS, await asyncio.gather(*map(batcher, KEYS), return_exceptions=True), strict=True))


async def test_waiting_keys_are_passed_together_and_once() -> None:
    work = Work()
    batcher = KeyBatcher(work)
    first = asyncio.create_task(batcher("first"))
    await asyncio.sleep(0)
    assert set((await outcomes(batcher)).values()) == {None}
    await first
    assert len(work.calls) <= 2
    assert sorted(key for call in work.calls for key in call) == sorted(["first", *KEYS])


async def test_failing_key_does_not_affect_others() -> None:
    work = Work()
    work.bad["k7"] = error = ValueError("k7")
    found = await outcomes(KeyBatcher(work))
    assert found.pop("k7") is error
    assert set(found.values()) == {None}


async def test_failing_key_does_not_affect_a_single_other_one() -> None:
    work = Work()
    work.bad["bad"] = error = ValueError("bad")
    batcher = KeyBatcher(work)
    found = await asyncio.gather(*map(batcher, ("good", "bad")), return_exceptions=True)
    assert list(found) == [None, error]
    with pytest.raises(ValueError, match="bad"):
        await batcher("bad")


async def test_unavailable_database_fails_all_keys_at_once() -> None:
    work = Work()
    batcher = KeyBatcher(work)
    work.bad["k7"] = error = OperationalError("", {}, Exception("away"))
    assert set((await outcomes(batcher)).values()) == {error}
    assert len(work.calls) == 1
    work.bad.clear()
    assert set((await outcomes(batcher)).values()) == {None}


async def test_cancelled_caller_does_not_affect_others() -> None:
    work = Work()
    batcher = KeyBatcher(work)
    gone = asyncio.create_task(batcher("gone"))
    await asyncio.sleep(0)
    gone.cancel()
    assert set((await outcomes(batcher)).values()) == {None}
