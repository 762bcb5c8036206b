"""How many mutants of a module its tests kill: `python -m benchmarks.mutation services/work/outbox.py`.

tests.toml maps modules to tests. A mutant that makes the tests hang counts as killed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

import tests.waiting
from benchmarks.mutation.mutants import Mutant, mutants_of
from benchmarks.mutation.processes import BROKEN, NOT_APPLICABLE, SURVIVED, UNCOVERED
from benchmarks.mutation.trials import Trials, Work

ROOT: Final = Path(__file__).parents[2]
QUICK: Final = "not postgres and not gateway and not browser"
LOADED: Final = "ignore::pytest.PytestAssertRewriteWarning"  # pytest's plugins are among the libraries
REMARKS: Final = {SURVIVED: "", UNCOVERED: "  (no test runs it)", NOT_APPLICABLE: "  (not tried)"}
CONFIG: Final = Path(__file__).with_name("tests.toml")
WAIT: Final = 12.0  # seconds a test waits for an event: most mutants that hang are found by that


@dataclass(slots=True)
class Module:
    """A module on trial."""

    path: Path
    made: int
    mutants: list[Mutant]
    tests: list[str]
    survivors: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # cannot be tried
    killed_by: dict[str, str] = field(default_factory=dict)  # the test, or "" if it took too long

    @property
    def name(self) -> str:
        """Its path in the project."""
        return self.path.relative_to(ROOT).as_posix()


def tests_of(name: str) -> list[str]:
    """The test files of a module (`services/work/outbox`): its own entry, else its package's."""
    entries: dict[str, list[str]] = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["tests"]
    patterns = entries.get(name) or entries.get(str(Path(name).parent))
    if not patterns:
        sys.exit(f"{CONFIG.name} names no tests for {name}")
    found: list[str] = []
    for pattern in patterns:
        files = [file.relative_to(ROOT).as_posix() for file in ROOT.glob(pattern)]
        if not files:
            sys.exit(f"{CONFIG.name}: {name}: no such test: {pattern}")
        found += files
    return sorted(set(found))


def equivalent(name: str) -> list[str]:
    """The changes of a module that change nothing anybody could notice."""
    config = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    return [*config["equivalent"].get("everywhere", []), *config["equivalent"].get(name, [])]


def chosen(path: Path, only: str, sample: int) -> Module:
    """The mutants of a module that are tried."""
    name = path.relative_to(ROOT).with_suffix("").as_posix()
    same = equivalent(name)
    mutants = [
        mutant
        for mutant in mutants_of(path.read_text(encoding="utf-8"))
        if only in mutant.name and not any(known in mutant.name for known in same)
    ]
    made = len(mutants)
    if sample and sample < made:
        mutants = sorted(random.Random(1).sample(mutants, sample), key=lambda mutant: mutant.line)
    return Module(path, made, mutants, tests_of(name))


def try_all(modules: list[Module]) -> None:
    """Fill in the survivors."""
    by_path = {module.path: module for module in modules}
    works = [
        Work(
            module.path,
            ".".join(module.path.relative_to(ROOT).with_suffix("").parts),
            module.path.read_text(encoding="utf-8"),
            module.mutants,
            frozenset(ROOT / test for test in module.tests),
        )
        for module in modules
    ]
    trials = Trials(works, lambda work, mutant, code, test: _note(by_path[work.path], mutant, code, test))
    tests_ = sorted({test for module in modules for test in module.tests})
    pytest.main(["-s", "-q", "-m", QUICK, "-W", LOADED, *tests_], plugins=[trials])
    if trials.broken:
        sys.exit(f"the tests fail without a change: {trials.broken}")


def _note(module: Module, mutant: Mutant, code: int, text: str) -> None:
    if code == BROKEN:
        sys.exit(f"{module.name}: no result of {mutant.name}: {text}")
    if code == NOT_APPLICABLE:
        module.left_out.append(mutant.name)
    elif code in (SURVIVED, UNCOVERED):
        module.survivors.append(mutant.name)
    else:
        module.killed_by[mutant.name] = text
        return
    print(f"  {module.name}:{mutant.name}{REMARKS[code]}", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__)
    parser.add_argument("modules", nargs="+", type=Path)
    parser.add_argument("--only", default="", help="only changes whose line, as it is printed, holds this text")
    parser.add_argument("--sample", type=int, default=0, help="try only so many of a module, always the same")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    os.nice(10)
    tests.waiting.SECONDS = WAIT  # type: ignore[misc]
    modules = [chosen(module.resolve(), given.only, given.sample) for module in given.modules]
    try_all(modules)
    figures = {}
    for module in modules:
        tried = len(module.mutants) - len(module.left_out)
        killed = tried - len(module.survivors)
        print(f"| {module.name} | {module.made} | {tried} | {killed} | {100 * killed / max(1, tried):.0f} % |")
        figures[module.name] = {
            "mutants": module.made,
            "tried": tried,
            "killed": killed,
            "survivors": sorted(module.survivors),
            "killed_by": module.killed_by,
        }
    if given.json:
        given.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
