"""The relay's journal on a disk without any free space."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from relay import reserve as module
from relay.reserve import SIZE, Reserve
from tests.bot_process import ROOT
from tests.waiting import SECONDS

PRIVATE = ("unshare", "--user", "--map-root-user", "--mount")


def _may_mount() -> bool:
    return shutil.which("unshare") is not None and not subprocess.run([*PRIVATE, "true"], check=False).returncode


needs_mounts = pytest.mark.skipif(not _may_mount(), reason="needs user namespaces")


async def _on_a_full_disk(folder: Path, scenario: str) -> tuple[dict[str, str], str]:
    """Run a scenario of tests.relay.full_disk; return its result and its log."""
    command = (*PRIVATE, sys.executable, "-m", "tests.relay.full_disk", str(folder), scenario)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(SECONDS):
        out, log = await process.communicate()
    assert process.returncode == 0, log.decode()
    return json.loads(out), log.decode()


@needs_mounts
async def test_received_events_are_deleted_without_any_free_space(tmp_path: Path) -> None:
    result, log = await _on_a_full_disk(tmp_path, "run")
    assert "full" in result.pop("full")
    assert "full" in result.pop("nothing may go"), "the space set aside is not spent in vain"
    assert result == {"pruned": "", "left": "0", "stored": ""}
    assert "live events are forwarded but not stored" in log
    assert "deleted with the space set aside for this" in log


@needs_mounts
async def test_journal_is_opened_without_any_free_space(tmp_path: Path) -> None:
    result, _ = await _on_a_full_disk(tmp_path, "restart")
    assert result == {"left": "500", "stored": ""}


def test_no_space_is_set_aside_on_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve = Reserve(tmp_path / "relay.reserve")
    with monkeypatch.context() as full:
        full.setattr(module, "FREE", shutil.disk_usage(tmp_path).total + 1)
        reserve.hold()
    assert not reserve.release()
    reserve.hold()
    assert (tmp_path / "relay.reserve").stat().st_size == SIZE
    assert reserve.release()
    assert list(tmp_path.iterdir()) == []
