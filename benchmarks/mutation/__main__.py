"""How many mutants of a module its tests kill: `python -m benchmarks.mutation services/work/outbox.py`.

Which tests belong to which module says tests.toml. A mutant that makes the tests hang is killed, too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
import tomllib
from pathlib import Path
from typing import Final

import pytest

from benchmarks.mutation.mutants import Mutant, mutants_of
from benchmarks.mutation.trial import LEAST_TIMEOUT, ROOT, load_what_stays, try_all

CONFIG: Final = Path(__file__).with_name("tests.toml")
FAILED: Final = {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR}


def tests_of(module: Path) -> list[str]:
    """The test files of a module: its own entry, else its package's."""
    config: dict[str, list[str]] = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["tests"]
    name = module.relative_to(ROOT).with_suffix("").as_posix()
    found = config.get(name) or config.get(str(Path(name).parent))
    if not found:
        sys.exit(f"{CONFIG.name} names no tests for {name}")
    return found


def equivalent(module: Path) -> list[str]:
    """The changes of a module that change nothing anybody could notice."""
    config = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    return list(config["equivalent"].get(module.relative_to(ROOT).with_suffix("").as_posix(), []))


def check(module: Path, tests: list[str], only: str, sample: int) -> dict[str, object]:
    """Try a module's mutants; the figures, and who survived."""
    source = module.read_text(encoding="utf-8")
    (clean,) = try_all(module, [source], tests, 600)
    if clean.code != pytest.ExitCode.OK:
        sys.exit(f"{module}: the tests fail without a change (exit code {clean.code})")
    same = equivalent(module)
    mutants = [m for m in mutants_of(source) if only in m.name and not any(known in m.name for known in same)]
    made = len(mutants)
    if sample and sample < made:
        mutants = random.Random(1).sample(mutants, sample)
    survivors: list[Mutant] = []
    started = time.monotonic()
    for outcome in try_all(module, [m.source for m in mutants], tests, max(LEAST_TIMEOUT, 4 * clean.seconds)):
        if outcome.code == pytest.ExitCode.OK:
            survivors.append(mutants[outcome.number])
            print(f"  survived  {mutants[outcome.number].name}", flush=True)
        elif outcome.code >= 0 and outcome.code not in FAILED:
            sys.exit(f"{module}: pytest ended with {outcome.code}: {mutants[outcome.number].name}")
    killed = len(mutants) - len(survivors)
    part = f"{100 * killed / max(1, len(mutants)):.0f} %"
    name = module.relative_to(ROOT).as_posix()
    print(f"| {name} | {made} | {len(mutants)} | {killed} | {part} | {time.monotonic() - started:.0f} s |", flush=True)
    return {"mutants": made, "tried": len(mutants), "killed": killed, "survivors": sorted(m.name for m in survivors)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__)
    parser.add_argument("modules", nargs="+", type=Path)
    parser.add_argument("--only", default="", help="only changes whose line, as it is printed, holds this text")
    parser.add_argument("--sample", type=int, default=0, help="try only so many of a module, always the same")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    os.nice(10)
    modules = [module.resolve() for module in given.modules]
    load_what_stays(modules, sorted({test for module in modules for test in tests_of(module)}))
    figures = {m.relative_to(ROOT).as_posix(): check(m, tests_of(m), given.only, given.sample) for m in modules}
    if given.json:
        given.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
