"""Files with conversations are readable only by the user who runs wxbot."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bot_process import ROOT
from tests.ports import free_port
from tests.waiting import SECONDS


def modes(folder: Path) -> dict[str, str]:
    """Return the permission bits for group and others of a directory and its content."""
    found = {path.name: path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")]}
    return {name: oct(mode) for name, mode in found.items() if mode & 0o077}


def test_database_and_sandbox_files_are_private(tmp_path: Path) -> None:
    data = tmp_path / "data"
    environment = os.environ | {
        "WXBOT_DATABASE": f"sqlite:///{data}/wxbot.db",
        "WXBOT_API__PORT": str(free_port()),
        "WXBOT_SANDBOX__PORT": str(free_port()),
        "WXBOT_SYSTEMS": "{}",
        "WXBOT_FLOWS": "[]",
    }
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "bot.py", "--config", "config.yaml"]
        bot = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, umask=0o022)
        try:
            deadline = time.monotonic() + SECONDS
            while not (data / "wxbot.db-wal").exists():
                assert bot.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.1)
        finally:
            bot.terminate()
            bot.wait(20)
    assert (data / "wxbot.db").exists()
    assert modes(data) == {}


def test_backups_are_private(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "wxbot.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
    database.close()
    copies = tmp_path / "copies"
    copies.mkdir(mode=0o700)
    (tmp_path / "config.yaml").write_text(f"database: sqlite:///{tmp_path}/wxbot.db\n")
    command = [sys.executable, "-m", "tools.backup", "make", "--config", str(tmp_path / "config.yaml"), str(copies)]
    subprocess.run(command, cwd=ROOT, check=True, umask=0o022, stdout=subprocess.DEVNULL)
    assert len(list(copies.iterdir())) == 1
    assert modes(copies) == {}


@pytest.mark.parametrize("module", ["sandbox", "sandbox.systems", "relay", "tools.privacy"])
def test_umask_of_the_other_programs(module: str) -> None:
    start = "import atexit, os, runpy, sys; atexit.register(lambda: print('umask', oct(os.umask(0))));"
    command = [sys.executable, "-c", f"{start} runpy.run_module({module!r}, run_name='__main__')", "--help"]
    done = subprocess.run(command, check=False, cwd=ROOT, umask=0o022, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert "umask 0o77" in done.stdout
