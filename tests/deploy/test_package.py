"""The wheel, installed into an environment without the source tree."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import aiohttp
import pytest
from packaging.requirements import Requirement

from tests.bot_process import ROOT
from tests.ports import free_port
from tests.waiting import SECONDS
from version import VERSION

pytest.importorskip("hatchling")
pytestmark = pytest.mark.timeout(600)


def _run(*command: str | Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "PYTHONUTF8": "1", **more}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source archive like in a release."""
    folder = tmp_path_factory.mktemp("dist")
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert (folder / f"wxbot-{VERSION}.tar.gz").exists()
    return folder / f"wxbot-{VERSION}-py3-none-any.whl"


@pytest.fixture(scope="module")
def wxbot(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed command.

    The libraries are those of this environment: the image's tests install them from the lock, which is made from the
    same list.
    """
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=True)
    python = home / "bin/python"
    site = next(home.glob("lib/python*/site-packages"))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    install = ("-m", "pip", "install", "--quiet", "--no-compile", "--no-deps")
    installed = _run(python, *install, wheel, cwd=home)
    assert installed.returncode == 0, installed.stderr
    return home / "bin/wxbot"


def test_wheel_contains_data_files(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for wanted in (
        "config.yaml",
        "faq.yaml",
        "bot.py",
        "api/templates/landing.html",
        "migrations/env.py",
        "migrations/versions/0001_first_tables.py",
        "sandbox/page/index.html",
        "sandbox/systems/page/index.html",
    ):
        assert f"wxbot/program/{wanted}" in names
    for path in ROOT.glob("*.py"):
        assert (f"wxbot/program/{path.name}" in names) == (path.name != "hatch_build.py")
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"wxbot", f"wxbot-{VERSION}.dist-info"}  # no top-level packages such as api or config
    assert not [name for name in names if "tests/" in name or name.endswith(".pyc")]


def test_wheel_requires_the_same_libraries(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(f"wxbot-{VERSION}.dist-info/METADATA").decode()
    asked = {Requirement(line.partition(": ")[2]) for line in metadata.splitlines() if line.startswith("Requires-Dist")}
    lines = (line.partition("#")[0].strip() for line in (ROOT / "requirements.in").read_text().splitlines())
    assert asked == {Requirement(line) for line in lines if line}
    assert "License-Expression: Apache-2.0" in metadata


def test_version_and_help(wxbot: Path, tmp_path: Path) -> None:
    assert _run(wxbot, "--version", cwd=tmp_path).stdout == f"wxbot {VERSION}\n"
    assert "backup" in _run(wxbot, "--help", cwd=tmp_path).stdout
    unknown = _run(wxbot, "fly", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "'fly'" in unknown.stderr
    for word in ("run", "check", "backup", "restore", "relay", "sandbox", "export"):
        shown = _run(wxbot, word, "--help", cwd=tmp_path)
        assert (shown.returncode, shown.stderr) == (0, ""), word
        assert f"wxbot {word}" in shown.stdout or "usage" in shown.stdout


def test_child_processes_find_the_installed_package(wxbot: Path, tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; from wxbot.command import main; main(['--version']); "
        "sys.exit(subprocess.run([sys.executable, '-c', 'import services.moderation.picture_worker']).returncode)"
    )
    done = _run(wxbot.with_name("python"), "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_secret_is_read_from_a_file(wxbot: Path, tmp_path: Path) -> None:
    (tmp_path / "address").write_text("postgresql://wxbot:s3cret@127.0.0.1:1/wxbot\n")
    (tmp_path / "config.yaml").write_text("language: en\nsystems: {}\nflows: []\nsandbox: {port: 0}\napi: {port: 0}\n")
    started = _run(wxbot, "run", cwd=tmp_path, WXBOT_DATABASE_FILE=str(tmp_path / "address"))
    assert "cannot start: the database: connection failed" in started.stderr
    assert "s3cret" not in started.stderr
    missing = _run(wxbot, "run", cwd=tmp_path, WECHATY_TOKEN_FILE=str(tmp_path / "nowhere"))
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)


def test_existing_config_is_not_changed(wxbot: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("nonsense: 1\n")
    started = _run(wxbot, "run", cwd=tmp_path)
    assert started.returncode == 2
    assert "nonsense" in started.stderr
    assert (tmp_path / "config.yaml").read_text() == "nonsense: 1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml"]


async def _status(http: aiohttp.ClientSession, url: str) -> int:
    with contextlib.suppress(aiohttp.ClientError):
        async with http.get(url) as response:
            return response.status
    return 0


async def test_runs_in_an_empty_folder(wxbot: Path, tmp_path: Path) -> None:
    port, page = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "WXBOT_API__PORT": str(port),
        "WXBOT_SANDBOX__PORT": str(page),
        "WXBOT_SYSTEMS": "{}",
        "WXBOT_FLOWS": "[]",
    }
    with (tmp_path / "log").open("wb") as log:
        bot = await asyncio.create_subprocess_exec(
            str(wxbot), "run", cwd=tmp_path, env=environment, stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        async with asyncio.timeout(SECONDS), aiohttp.ClientSession() as http:
            while await _status(http, f"{url}/readyz") != 200:
                assert bot.returncode is None, (tmp_path / "log").read_text()
                await asyncio.sleep(0.1)
            call = {"code": "1", "owner": "宋公明", "assistant": "weimi1001"}
            async with http.post(f"{url}/wxbot/qun", json=call) as response:
                assert response.status == 201, await response.text()
                landing = (await response.json())["qun_create_response"]["url"]
            for address in (landing, f"{url}/docs", f"{url}/metrics", f"http://127.0.0.1:{page}/"):
                assert await _status(http, address) == 200, address
        copied = _run(wxbot, "backup", "copy.db", cwd=tmp_path)
        assert copied.returncode == 0, copied.stderr
        exported = _run(wxbot, "export", "wxid_song", cwd=tmp_path)
        assert json.loads(exported.stdout)["contact_id"] == "wxid_song"
        assert "stop it first" in _run(wxbot, "restore", "copy.db", cwd=tmp_path).stderr
    finally:
        bot.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(bot.wait(), SECONDS) == 0
    restored = _run(wxbot, "restore", "copy.db", cwd=tmp_path)
    assert restored.returncode == 0, restored.stderr
    assert (tmp_path / "config.yaml").read_bytes() == (ROOT / "config.yaml").read_bytes()
    assert _run(wxbot, "check", cwd=tmp_path).stdout == "config.yaml 没有问题\n"
