"""Builds the documentation site, one per language: `python -m docs.build [FOLDER]` (`make docs`)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

HOME: Final = Path(__file__).parent
LANGUAGES: Final = ("zh", "en")
ENTRY: Final = """<!doctype html><meta charset="utf-8"><title>wxbot</title>
<script>location.replace((navigator.language || "zh").startsWith("zh") ? "zh/" : "en/")</script>
<p><a href="zh/">中文</a> · <a href="en/">English</a></p>
"""


def build(target: Path) -> None:
    """Assemble pages and pictures in `target`/.src and build them in strict mode; raise CalledProcessError."""
    shutil.rmtree(target, ignore_errors=True)
    for language in LANGUAGES:
        pages = target / ".src" / language
        shutil.copytree(HOME / language, pages)
        shutil.copytree(HOME / "pictures", pages / "pictures")
        config = target.parent / f"zensical.{language}.toml"
        if config.parent != HOME:
            shutil.copyfile(HOME / config.name, config)
        command = (sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(config))
        subprocess.run(command, check=True, cwd=target.parent)
    shutil.rmtree(target / ".src")
    (target / "index.html").write_text(ENTRY, encoding="utf-8")


def main() -> int:
    """Run the command line; the site is written to `site`, as configured."""
    parent = Path(sys.argv[1]) if len(sys.argv) > 1 else HOME
    try:
        build(parent.resolve() / "site")
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
