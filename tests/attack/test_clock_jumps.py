"""A wrong or jumping system clock (by libfaketime) with a correct gateway clock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.attack.target import Target, started
from tests.stories.group_life import holds

LIBRARIES = [
    *Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"),
    *Path("/usr/lib").glob("faketime/libfaketimeMT.so.1"),
]


@pytest.fixture(scope="module")
def library() -> str:
    """The path of libfaketime."""
    if not LIBRARIES:
        if os.environ.get("CI"):
            pytest.fail("faketime is missing")
        pytest.skip("needs libfaketime (Debian package faketime)")
    return str(LIBRARIES[0])


async def wait_for_clock_problem(bot: Target, words: str) -> None:
    """Wait until /readyz reports a problem containing `words`."""

    async def look() -> bool:
        _, body = await bot.call("GET", "/readyz")
        return any(words in problem for problem in body.get("problems", {}).values())

    await holds(look, lambda: f"/readyz does not tell: {words}")


async def test_wrong_clock_does_not_stop_replies(tmp_path: Path, library: str) -> None:
    """20 minutes ahead at the start, 8 hours behind, 400 days ahead: people are answered, and the clock is reported."""
    now = tmp_path / "now"
    now.write_text("+20m")
    environment = {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(now),
        "FAKETIME_CACHE_DURATION": "1",  # seconds until a jump shows
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    async with started(tmp_path, environment) as bot:
        await bot.answers()
        await wait_for_clock_problem(bot, "快 20 分钟")
        for jump, words in (("-8h", "慢 480 分钟"), ("+400d", "快 576000 分钟"), ("+0", "")):
            now.write_text(jump)
            await bot.answers()
            if words:
                await wait_for_clock_problem(bot, words)
        await bot.bot.wait_idle()
        assert "Traceback" not in bot.bot.log()
