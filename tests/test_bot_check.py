"""`python bot.py --check` and `--version`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bot_config import write
from tests.bot_process import ROOT
from tests.command_line import RunBot, run_bot
from tests.waiting import SECONDS
from version import VERSION

__all__ = ["run_bot"]


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_config_is_checked_without_starting(run_bot: RunBot, tmp_path: Path) -> None:
    config = write(tmp_path, api={"public_url": "https://wx.example"})
    assert run_bot("--check", "--config", config) == (0, f"{config} is valid\n", "")
    assert _names(tmp_path) == ["config.yaml"]  # nothing was created
    code, said, _ = run_bot("--check", "--config", write(tmp_path))
    assert (code, len(said.splitlines())) == (0, 2)
    assert "api.public_url" in said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"keep_days": "long"}, "keep_days: 'long'"),
        ({"jobs": [{"name": "dayly"}]}, "jobs.1.name"),
        ({"customer_service": {"faq": "questions.yaml"}}, "questions.yaml"),
    ],
)
def test_check_names_the_error(run_bot: RunBot, tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    (tmp_path / "questions.yaml").write_text("- questions: 营业时间\n")
    code, said, complained = run_bot("--check", "--config", write(tmp_path, **changes))
    assert (code, said, complained.count("\n")) == (2, "", 1)
    assert says in complained


async def test_version_is_printed() -> None:
    command = (sys.executable, "bot.py", "--version")
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    assert (process.returncode, said.decode()) == (0, f"wxbot {VERSION}\n")
