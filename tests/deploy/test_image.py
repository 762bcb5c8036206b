"""The image of deploy/Dockerfile, built (on a Debian made by mmdebstrap) and run."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bot_process import ROOT
from tests.ports import free_port
from tests.waiting import SECONDS
from version import VERSION

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not (shutil.which("buildah") and shutil.which("mmdebstrap") and os.geteuid() == 0 and os.environ.get("CI")),
        reason="needs CI=1, root, buildah and mmdebstrap; takes two minutes",
    ),
]
PACKAGES = "python3,python3-venv,ca-certificates"


class Builder:
    """buildah without a daemon."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"BUILDAH_ISOLATION": "chroot"}
        self.options = ("--root", str(folder / "storage"), "--runroot", str(folder / "run"))

    def command(self, *arguments: str | Path) -> list[str]:
        return ["buildah", *self.options, *map(str, arguments)]

    def __call__(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert not check or done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done


def pip_environment() -> list[str]:
    """The certificates and pip settings with which this machine reaches PyPI."""
    options = ["--volume=/etc/ssl/certs:/etc/ssl/certs:ro"]
    if wheels := os.environ.get("PIP_FIND_LINKS", ""):
        options += [f"--volume={wheels}:{wheels}:ro", f"--env=PIP_FIND_LINKS={wheels}"]
    return options


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """A builder with the image localhost/wxbot."""
    folder = tmp_path_factory.mktemp("image")
    build = Builder(folder)
    base = folder / "base.tar"
    made = ("mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(base))
    subprocess.run(made, check=True, capture_output=True)
    empty = build("from", "scratch").stdout.strip()
    build("add", empty, base, "/")
    build("commit", empty, "localhost/base")
    build("rm", empty)
    base.unlink()
    options = ("--pull-never", "--build-arg", "BASE=localhost/base", "--format", "docker", "-f", "deploy/Dockerfile")
    build("bud", *options, *pip_environment(), "-t", "localhost/wxbot", ".")
    yield build
    build("rm", "--all", check=False)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def container(builder: Builder) -> str:
    return builder("from", "--pull-never", "localhost/wxbot").stdout.strip()


@pytest.fixture(scope="module")
def gateway(builder: Builder) -> str:
    """The gateway's image, on the same Debian with this machine's Node.js."""
    node = Path(shutil.which("node") or pytest.skip("needs Node.js")).resolve()
    npm = node.parents[1] / "lib/node_modules/npm"
    base = builder("from", "--pull-never", "localhost/base").stdout.strip()
    builder("copy", base, node, "/usr/local/bin/node")
    builder("copy", base, npm, "/usr/local/lib/node_modules/npm")
    builder("run", base, "--", "ln", "-s", "/usr/local/lib/node_modules/npm/bin/npm-cli.js", "/usr/local/bin/npm")
    builder("config", "--env", "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt", base)
    builder("commit", base, "localhost/node")
    options = ("--pull-never", "--build-arg", "BASE=localhost/node", "--format", "docker")
    npm_settings = [
        f"--env={name}={value}" for name, value in os.environ.items() if name.lower().startswith("npm_config")
    ]
    builder("bud", *options, *pip_environment(), *npm_settings, "-t", "localhost/wxbot-gateway", "deploy/gateway")
    return builder("from", "--pull-never", "localhost/wxbot-gateway").stdout.strip()


def test_gateway_image_serves_and_is_healthy(builder: Builder, gateway: str, tmp_path: Path) -> None:
    port = free_port()
    variables = (
        f"--env=PORT={port}",
        "--env=WECHATY_PUPPET=wechaty-puppet-mock",
        "--env=WECHATY_TOKEN=insecure_0123456789",
    )
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(
            builder.command("run", "--user", "10002", *variables, gateway, "--", "node", "/gateway/gateway.mjs"),
            env=builder.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + SECONDS
        while "listens on" not in (tmp_path / "log").read_text():
            assert running.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.2)
        builder("run", "--user", "10002", *variables, gateway, "--", "node", "/gateway/health.mjs")
        assert "insecure_" not in (tmp_path / "log").read_text()
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(20)


def _config(builder: Builder) -> dict[str, Any]:
    """Return the image's configuration."""
    inspected = json.loads(builder("inspect", "--type", "image", "localhost/wxbot").stdout)
    return dict(inspected["Docker"]["config"])


def test_image_metadata(builder: Builder) -> None:
    config: dict[str, Any] = json.loads(builder("inspect", "--type", "image", "localhost/wxbot").stdout)["Docker"][
        "config"
    ]
    assert config["User"] == "10001"
    assert config["Volumes"] == {"/data": {}}
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Entrypoint"] == ["python", "-m", "wxbot"]
    assert not [variable for variable in config["Env"] if "TOKEN" in variable or "PASSWORD" in variable]


def test_image_contains_the_program_only(builder: Builder, container: str) -> None:
    shown = builder("run", container, "--", "python", "-m", "wxbot", "--version")
    assert shown.stdout.strip() == f"wxbot {VERSION}"
    listed = builder("run", container, "--", "ls", "/opt/wxbot").stdout.split()
    assert {"bot.py", "config.yaml", "migrations", "wxbot"} <= set(listed)
    assert not {"tests", ".git", "deploy", "node_modules", "requirements-dev.lock"} & set(listed)


def test_program_files_are_read_only(builder: Builder, container: str) -> None:
    refused = builder("run", "--user", "10001", container, "--", "touch", "/opt/wxbot/bot.py", check=False)
    assert refused.returncode != 0
    assert builder("run", "--user", "10001", container, "--", "id", "-u").stdout.strip() == "10001"


def test_image_runs_and_stops(builder: Builder, container: str, tmp_path: Path) -> None:
    port = free_port()
    settings = {
        "WXBOT_API__PORT": str(port),
        "WXBOT_SANDBOX__PORT": "0",
        "WXBOT_SYSTEMS": "{}",
        "WXBOT_FLOWS": "[]",
        "WXBOT_LANGUAGE": "en",
    }
    variables = [f"--env={name}={value}" for name, value in settings.items()]
    command = ("python", "-m", "wxbot", "run", "--config", "/etc/wxbot/config.yaml")
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(
            builder.command("run", "--user", "10001", *variables, container, "--", *command),
            env=builder.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/readyz", running, tmp_path / "log")
        probe = [part.replace(":8080", f":{port}") for part in _config(builder)["Healthcheck"]["Test"][1:]]
        builder("run", container, "--", *probe)
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(20)
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    assert "wxbot is running" in (tmp_path / "log").read_text()


def _wait_until_ready(url: str, running: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        assert running.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
