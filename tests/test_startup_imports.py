"""What a bot with SQLite and puppet accounts must not load: each of these packages takes megabytes and start time."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.bot_process import ROOT

UNUSED = ("PIL", "alembic", "cryptography", "cv2", "markdown_it", "opencc", "psycopg", "quart", "requests", "segno")


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The names of the modules that are loaded once the program is ready to read its config."""
    code = "import sys, bot; print(*sys.modules, sep='\\n')"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_program_is_loaded(loaded: set[str]) -> None:
    assert {"app.container", "sqlmodel", "aiohttp"} <= loaded


@pytest.mark.parametrize("package", UNUSED)
def test_unused_package_is_not_loaded(loaded: set[str], package: str) -> None:
    assert package not in loaded


def test_no_pattern_repeats_a_class_a_number_of_times() -> None:
    r"""pydantic's engine compiles `\w{0,100}` to 100 copies of the class, about 10 MB; `max_length` costs nothing."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "config").glob("*.py")]
    patterns = [found for source in sources for found in re.findall(r'Field\(.*?pattern=r"([^"]*)"', source)]
    assert len(patterns) > 3
    assert not [pattern for pattern in patterns if re.search(r"\{\d", pattern)]
