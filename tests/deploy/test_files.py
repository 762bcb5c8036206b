"""Container and unit files, checked by the official linters."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from version import VERSION

ROOT = Path(__file__).parents[2]
HOME = ROOT / "deploy"
UNITS = sorted((HOME / "systemd").glob("*.service"))


def _run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Return a command's output; skip if its program is missing, fail with CI set."""
    program = str(command[0])
    if shutil.which(program) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {program}")
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_dockerfiles_pass_the_linter() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    _run(hadolint, "deploy/Dockerfile", "deploy/gateway/Dockerfile")


def test_compose_file_passes_the_linter() -> None:
    linter = HOME / "lint/node_modules/.bin/dclint"
    if not linter.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs `npm ci` in deploy/lint")
    _run(linter, "--max-warnings", "0", "compose.yaml", cwd=HOME)


def _compose() -> dict[str, Any]:
    return dict(yaml.safe_load((HOME / "compose.yaml").read_text()))


@pytest.mark.parametrize("name", ["gateway", "relay", "wxbot"])
def test_containers_have_minimal_privileges(name: str) -> None:
    service = _compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_files_of_compose_exist_after_prepare(tmp_path: Path) -> None:
    shutil.copytree(HOME, tmp_path / "deploy", ignore=shutil.ignore_patterns("node_modules", "secrets"))
    for name in ("config.yaml", "faq.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    folder = tmp_path / "deploy"
    _run("sh", folder / "prepare.sh")
    compose = _compose()
    for secret in compose["secrets"].values():
        assert len((folder / secret["file"]).read_text()) > 20
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or (folder / source).exists(), volume
    password = (folder / "secrets/database_password").read_text()
    assert password in (folder / "secrets/database_url").read_text()
    _run("sh", folder / "prepare.sh")  # repeating changes nothing
    assert (folder / "secrets/database_password").read_text() == password
    assert (folder / "secrets").stat().st_mode & 0o077 == 0


def test_relay_config_is_accepted() -> None:
    command = (sys.executable, "-m", "relay", "--check", "--config", "deploy/relay.yaml")
    environment = os.environ | {"WECHATY_TOKEN": "insecure_0123456789"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_has_low_exposure(unit: Path) -> None:
    """At most 1.5 of systemd's 10 exposure points."""
    said = _run("systemd-analyze", "security", "--offline=true", "--threshold=15", unit)
    assert re.search(r"Overall exposure level for \S+: 1\.[0-5] ", said), said


def test_units_are_valid(tmp_path: Path) -> None:
    """With a dummy program at the expected path, so that only real problems are reported."""
    program = tmp_path / "wxbot"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for path in sorted((HOME / "systemd").glob("*.[st]*")):
        if path.is_file():
            (tmp_path / path.name).write_text(path.read_text().replace("/opt/wxbot/bin/wxbot", str(program)))
    said = _run("systemd-analyze", "verify", "--man=no", *sorted(tmp_path.glob("wxbot*.[st]*")))
    assert "wxbot" not in said, said


def test_service_uses_watchdog_and_reload() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(HOME / "systemd/wxbot.service")
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) >= 10
    assert "HUP" in service["ExecReload"]
    assert service["RestartPreventExitStatus"] == "2"


def test_version_is_defined_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)
    assert re.search(rf"^## \[?{re.escape(VERSION)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert "version" not in json.loads((HOME / "gateway/package.json").read_text())


def test_image_and_wheel_contain_all_packages() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert {*wheel["only-include"], *wheel["force-include"], "*.py"} <= sent
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks", "docs"}
    assert packages <= set(wheel["only-include"])
