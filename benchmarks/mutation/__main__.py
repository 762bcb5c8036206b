"""How many mutants of a module its tests kill: `python -m benchmarks.mutation services/work/outbox.py`.

tests.toml maps modules to tests. A mutant that makes the tests wait in vain counts as killed; their number
is shown. What was killed only by a test that fails without a change as well does not count.
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
from typing import Any, Final

import pytest

import tests.waiting
from benchmarks.mutation.mutants import Mutant, mutants_of
from benchmarks.mutation.processes import BROKEN, NOT_APPLICABLE, SURVIVED, TIMED_OUT, UNCOVERED
from benchmarks.mutation.trials import Trials, Work

ROOT: Final = Path(__file__).parents[2]
QUICK: Final = "not gateway and not browser"
LOADED: Final = "ignore::pytest.PytestAssertRewriteWarning"  # pytest's plugins are among the libraries
REMARKS: Final = {
    SURVIVED: "",
    UNCOVERED: "  (no test runs it)",
    NOT_APPLICABLE: "  (not tried)",
    BROKEN: "  (no result)",
    TIMED_OUT: "  (killed by waiting)",
}
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
    killed_by: dict[str, str] = field(default_factory=dict)  # the test, or "" if it did not end
    timed_out: list[str] = field(default_factory=list)  # among the killed
    doubtful: list[str] = field(default_factory=list)  # tests that fail without a change

    @property
    def name(self) -> str:
        """Its path in the project."""
        return self.path.relative_to(ROOT).as_posix()

    def figures(self) -> dict[str, Any]:
        """The result. What only a doubtful test killed is not counted."""
        not_proven = [name for name, test in self.killed_by.items() if test.partition(" (")[0] in self.doubtful]
        tried = len(self.killed_by) + len(self.survivors) - len(not_proven)
        return {
            "mutants": self.made,
            "tried": tried,
            "killed": len(self.killed_by) - len(not_proven),
            "timed_out": sorted(self.timed_out),
            "survivors": sorted(self.survivors),
            "left_out": sorted([*self.left_out, *not_proven]),
            "doubtful_tests": sorted(self.doubtful),
            "killed_by": self.killed_by,
        }


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


def try_all(modules: list[Module], report: Path | None) -> None:
    """Try the mutants; print the figures of each module, and write them to a file, as soon as they are known."""
    print("| module | mutants | tried | killed | % | of these by waiting |")
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
    trials = Trials(
        works,
        lambda work, mutant, code, test: _note(by_path[work.path], mutant, code, test),
        lambda work, test: _doubt(by_path[work.path], test),
        lambda work: _report(by_path[work.path], modules, report),
    )
    tests_ = sorted({test for module in modules for test in module.tests})
    quick = QUICK if any(_needs_postgres(module.name) for module in modules) else f"{QUICK} and not postgres"
    pytest.main(["-s", "-q", "-m", quick, "-W", LOADED, *tests_], plugins=[trials])
    if trials.broken:
        sys.exit(f"the tests fail without a change: {trials.broken}")


def _needs_postgres(name: str) -> bool:
    return name.removesuffix(".py") in tomllib.loads(CONFIG.read_text(encoding="utf-8"))["postgres"]["modules"]


def _note(module: Module, mutant: Mutant, code: int, text: str) -> None:
    if code in (NOT_APPLICABLE, BROKEN):
        module.left_out.append(mutant.name)
    elif code in (SURVIVED, UNCOVERED):
        module.survivors.append(mutant.name)
    else:
        module.killed_by[mutant.name] = text
        if code == TIMED_OUT:
            module.timed_out.append(mutant.name)
    if code in REMARKS:
        print(f"  {module.name}:{mutant.name}{REMARKS[code]}", flush=True)
    if code == BROKEN:
        print(text, flush=True)


def _doubt(module: Module, test: str) -> None:
    module.doubtful.append(test)
    print(f"  {module.name}: fails without a change: {test}", flush=True)


def _report(module: Module, modules: list[Module], report: Path | None) -> None:
    result = module.figures()
    tried, killed = result["tried"], result["killed"]
    percent = f"{100 * killed / tried:.0f}" if tried else "-"
    row = (module.name, result["mutants"], tried, killed, percent, len(result["timed_out"]))
    print(f"| {' | '.join(map(str, row))} |", flush=True)
    if report:
        figures = {finished.name: finished.figures() for finished in modules[: modules.index(module) + 1]}
        report.write_text(json.dumps(figures, ensure_ascii=False, indent=1), encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__)
    parser.add_argument("modules", nargs="+", type=Path)
    parser.add_argument("--only", default="", help="only changes whose line, as it is printed, holds this text")
    parser.add_argument("--sample", type=int, default=0, help="try only so many of a module, always the same")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    os.nice(max(0, 5 - os.nice(0)))
    tests.waiting.SECONDS = WAIT  # type: ignore[misc]
    tests.waiting.until.__defaults__ = ("", WAIT)
    modules = [chosen(module.resolve(), arguments.only, arguments.sample) for module in arguments.modules]
    try_all(modules, arguments.json)


if __name__ == "__main__":
    main()
