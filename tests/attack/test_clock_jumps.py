"""A wrong or jumping system clock (by libfaketime) with a correct gateway clock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import wrong_clock
from tests.attack.target import Target, started
from tests.waiting import until


@pytest.fixture(scope="module", autouse=True)
def libfaketime() -> None:
    """Skip, or fail in CI, where libfaketime is missing."""
    if not wrong_clock.LIBRARIES:
        if os.environ.get("CI"):
            pytest.fail("faketime is missing")
        pytest.skip("needs libfaketime (Debian package faketime)")


async def wait_for_clock_problem(bot: Target, text: str) -> None:
    """Wait until /readyz reports a problem containing `text`."""

    async def look() -> bool:
        _, body = await bot.call("GET", "/readyz")
        return any(text in problem for problem in body.get("problems", {}).values())

    await until(look, lambda: f"/readyz does not tell: {text}")


async def test_wrong_clock_does_not_stop_replies(tmp_path: Path) -> None:
    """20 minutes ahead at the start, 8 hours behind, 400 days ahead: people are answered, and the clock is reported."""
    now = tmp_path / "now"
    now.write_text("+20m")
    environment = wrong_clock.environment(
        FAKETIME_TIMESTAMP_FILE=str(now),
        FAKETIME_CACHE_DURATION="1",  # seconds until a jump shows
    )
    async with started(tmp_path, environment) as bot:
        await bot.answers()
        await wait_for_clock_problem(bot, "快 20 分钟")
        for jump, text in (("-8h", "慢 480 分钟"), ("+400d", "快 576000 分钟"), ("+0", "")):
            now.write_text(jump)
            await bot.answers()
            if text:
                await wait_for_clock_problem(bot, text)
        await bot.bot.wait_idle()
        assert "Traceback" not in bot.bot.log()


def test_time_sleep_works_with_wrong_clock() -> None:
    """The processes of these tests sleep although libfaketime breaks `time.sleep`."""
    code = "import time; began = time.monotonic(); time.sleep(0.05); assert time.monotonic() - began >= 0.05"
    environment = {**os.environ, **wrong_clock.environment(FAKETIME="+3600s")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
