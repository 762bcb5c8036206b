"""The SDK can be imported by every supported Python version, without side effects."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import SECONDS

ROOT = Path(__file__).parents[2]
MEGABYTES = 60  # 38 measured; 83 without the stand-ins

PROBE = """
import json, logging, os, sys, threading
sys.path.insert(0, sys.argv[1])
import wechat.compat as compat
import wechat.assistant
loggers = [logging.getLogger(n) for n in ("Wechaty", "PuppetService", "Message", "WechatyPuppet.Schema.Base")]
with open("/proc/self/statm") as statm:
    rss = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
print(json.dumps({
    "bot": issubclass(wechat.assistant.Assistant, __import__("wechaty").Wechaty),
    "puppet": issubclass(wechat.puppet.PatchedPuppet, __import__("wechaty_puppet").Puppet),
    "left": [name for name in compat.UNUSED if isinstance(sys.modules.get(name), compat.UnusedModule)],
    "noisy": [l.name for l in loggers if any(type(h) is not logging.NullHandler for h in l.handlers) or l.propagate],
    "files": os.listdir("."), "cache_dir": os.environ.get("CACHE_DIR"), "threads": threading.active_count(),
    "rss": rss, "version": sys.version_info[:2],
}))
"""


def _pythons() -> list[Any]:
    """Return this Python and others: those in WXBOT_TEST_PYTHONS, and those on the path."""
    others = [path for path in os.environ.get("WXBOT_TEST_PYTHONS", "").split(":") if path]
    return [sys.executable, *others, *(f"python3.{minor}" for minor in (11, 12, 13))]


def _probe(python: str, folder: Path, **env: str) -> dict[str, Any]:
    if shutil.which(python) is None:
        pytest.skip(f"{python} is not installed")
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    run = [python, "-W", "error", "-c", PROBE, str(ROOT)]
    done = subprocess.run(
        run, cwd=folder, env={**clean, **env}, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if python != sys.executable and ("No module named" in done.stderr or "command not found" in done.stderr):
        pytest.skip(f"{python} is there without the packages of requirements.lock")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("python", _pythons())
def test_import_has_no_side_effects(python: str, tmp_path: Path) -> None:
    found = _probe(python, tmp_path)
    assert found["bot"]
    assert found["puppet"]
    assert found["left"] == []
    assert found["noisy"] == []
    assert found["files"] == []
    assert found["cache_dir"] is None
    assert found["threads"] == 1
    assert found["rss"] < MEGABYTES


def test_wechaty_environment_variables_are_ignored(tmp_path: Path) -> None:
    """WECHATY_LOG with a level unknown to the SDK makes its import fail; WECHATY_LOG_FILE makes it write texts."""
    found = _probe(
        sys.executable,
        tmp_path,
        WECHATY_LOG="debug",
        WECHATY_LOG_FILE="log.txt",
        CACHE_DIR="kept",
        TOKEN="t",
        ENDPOINT="e:1",
    )
    assert found["files"] == []
    assert found["cache_dir"] == "kept"


def test_import_after_the_real_modules() -> None:
    """Modules already loaded by other code are not replaced."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import qrcode as real\n"
        "import wechat.compat, qrcode, quart\n"
        "assert qrcode is real\n"
        "assert quart.Quart.__module__ == 'quart.app'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT)], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr


def test_download_libraries_are_loaded_on_use() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import wechat.compat\n"
        "from wechaty_puppet.file_box import file_box\n"
        "assert 'requests' not in sys.modules\n"
        "assert file_box.requests.get.__module__ == 'requests.api'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
