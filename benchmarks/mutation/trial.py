"""Runs tests on mutants, each in a forked process that has the libraries loaded; no file is changed."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

import grimp
import pytest

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = (
    "api",
    "app",
    "config",
    "console",
    "handlers",
    "jobs",
    "models",
    "protocol",
    "sandbox",
    "services",
    "wechat",
    "wecom",
)
PROCESSES: Final = 2
LEAST_TIMEOUT: Final = 20.0  # seconds
QUICK: Final = "not postgres and not gateway and not browser"
LOADED: Final = "ignore::pytest.PytestAssertRewriteWarning"  # pytest's plugins are among the libraries
NEVER_ENDS: Final = -1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the tests said: pytest's exit code, or NEVER_ENDS."""

    number: int
    code: int
    seconds: float


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports one module from another source."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name = name
        self._path = path
        self._source = source

    def find_spec(self, fullname: str, *_given: object) -> importlib.machinery.ModuleSpec | None:
        """The module's, and no other's."""
        if fullname != self._name:
            return None
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=str(self._path))
        spec.has_location = True
        return spec

    def get_source(self, fullname: str) -> str:
        """The changed source."""
        return self._source

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        exec(compile(self._source, str(self._path), "exec"), module.__dict__)


def load_what_stays(modules: Sequence[Path], tests: Sequence[str]) -> None:
    """Import what the tests import, but neither the modules that are changed nor what imports them."""
    program = (
        "import sys, pytest\n"
        "code = pytest.main(['--collect-only', '-q', *sys.argv[1:]])\n"
        "print('\\n'.join(['LOADED', *sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *tests], cwd=ROOT, capture_output=True, text=True, check=True)
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    changed = {module_name(module) for module in modules}
    later = changed.union(*(graph.find_downstream_modules(name) for name in changed))
    for name in done.stdout.partition("LOADED\n")[2].split():
        if name.partition(".")[0] not in ("__main__", "tests", "conftest", "_pytest") and name not in later:
            with suppress(ImportError):  # some modules are only made by their packages
                importlib.import_module(name)
    if early := sorted(later & sys.modules.keys()):
        sys.exit(f"imported before it was changed: {', '.join(early)}")


def module_name(module: Path) -> str:
    """The name under which a file is imported."""
    return ".".join(module.relative_to(ROOT).with_suffix("").parts)


def try_all(module: Path, sources: Sequence[str], tests: Sequence[str], timeout: float) -> Iterator[Outcome]:
    """Run the tests on each source of a module, some at a time, until the first failure."""
    running: dict[int, tuple[int, float]] = {}  # process -> which source, since when
    waiting = list(enumerate(sources))
    try:
        while waiting or running:
            while waiting and len(running) < PROCESSES:
                number, source = waiting.pop(0)
                running[_fork(module, source, tests)] = (number, time.monotonic())
            for process, (number, started) in list(running.items()):
                code, seconds = _exit_code(process), time.monotonic() - started
                if code is None and seconds > timeout:
                    _kill(process)
                    code = NEVER_ENDS
                if code is not None:
                    del running[process]
                    shutil.rmtree(_folder(process), ignore_errors=True)
                    yield Outcome(number, code, seconds)
            time.sleep(0.05)
    finally:
        for process in running:
            _kill(process)


def _folder(process: int) -> Path:
    return Path(tempfile.gettempdir()) / f"wxbot-mutant-{process}"


def _fork(module: Path, source: str, tests: Sequence[str]) -> int:
    process = os.fork()
    if process:
        return process
    code = 3
    try:
        os.setsid()
        devnull = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(devnull, stream)
        os.chdir(ROOT)
        sys.meta_path.insert(0, _Changed(module_name(module), module, source))
        where = f"--basetemp={_folder(os.getpid())}"
        code = int(pytest.main(["-x", "-q", "-m", QUICK, "-W", LOADED, where, *tests]))
    finally:
        os._exit(code)


def _exit_code(process: int) -> int | None:
    done, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(process, 0)
