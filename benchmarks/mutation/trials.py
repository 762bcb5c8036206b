"""Tries mutants: one process imports and collects the tests once and forks for each mutant.

Only tests that run the changed line are run, those that killed most mutants of the module before first.
"""

from __future__ import annotations

import ast
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from benchmarks.mutation.lines import Lines, LineTracer
from benchmarks.mutation.mutants import Mutant
from benchmarks.mutation.processes import KILLED, NOT_APPLICABLE, SURVIVED, UNCOVERED, run_forked
from benchmarks.mutation.replacing import replace
from tests.databases import make_sqlite

BUDGET: Final = 15.0  # seconds of tests per mutant, by their time without a change
LEAST_TIMEOUT: Final = 40.0  # seconds


@dataclass(slots=True)
class Work:
    """A module, its mutants, and the test files that are asked."""

    path: Path
    name: str  # as it is imported
    source: str
    mutants: list[Mutant]
    tests: frozenset[Path]


@dataclass(slots=True)
class _Measured:
    """A test without a change."""

    item: pytest.Item
    seconds: float
    lines: Lines
    place: int = 0  # among the cases of one test function


@dataclass(eq=False)
class Trials:
    """The pytest plugin: instead of running the tests it tries the mutants.

    `tell(work, mutant, code, test)` is called for each.
    """

    works: Sequence[Work]
    tell: Callable[[Work, Mutant, int, str], None]
    broken: str = ""  # the test that fails without a change
    _failed: str = ""
    _tests: list[_Measured] = field(default_factory=list)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a failure."""
        if report.failed and not self._failed:
            self._failed = f"{report.nodeid} ({report.when})"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure the tests, then try the mutants."""
        if session.testsfailed:
            self.broken = "collection"
            return True
        with tempfile.TemporaryDirectory() as folder:
            make_sqlite(Path(folder) / "empty.db")  # kept in memory, for all children
        _, code, answer = next(run_forked([lambda: self._measure(session)], 3600))
        if code != SURVIVED:
            self.broken = answer or f"ended with {code}"
            return True
        items = {item.nodeid: item for item in session.items}
        cases: Counter[str] = Counter()
        for test, seconds, lines in json.loads(answer):
            ran = {file: set(found) for file, found in lines.items()}
            function = test.partition("[")[0]
            self._tests.append(_Measured(items[test], seconds, ran, cases[function]))
            cases[function] += 1
        for work in self.works:
            self._try(work)
        return True

    # ---- in a child: without a change ----

    def _measure(self, session: pytest.Session) -> tuple[int, str]:
        tracer = LineTracer([str(work.path) for work in self.works])
        tracer.start()
        found = []
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            began = time.monotonic()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return KILLED, self._failed
            lines = {file: sorted(numbers) for file, numbers in tracer.take().items()}
            found.append((item.nodeid, time.monotonic() - began, lines))
        tracer.stop()
        return SURVIVED, json.dumps(found)

    # ---- mutants ----

    def _try(self, work: Work) -> None:
        kills: Counter[str] = Counter()
        tried: list[tuple[Mutant, list[_Measured]]] = []
        spans = _Spans(work.source)
        for mutant in work.mutants:
            tests = self._covering(work, spans.lines_of(mutant.line))
            if tests:
                tried.append((mutant, _within_budget(_ordered(tests, kills))))
            else:
                self.tell(work, mutant, UNCOVERED, "")
        limits = [max(LEAST_TIMEOUT, 5 * sum(test.seconds for test in tests)) for _, tests in tried]
        # Ordered again when they begin: by then it is known which tests kill.
        jobs = [
            (lambda m=mutant, t=tests, s=limit: self._trial(work, m, _ordered(t, kills), s))
            for (mutant, tests), limit in zip(tried, limits, strict=True)
        ]
        for place, code, test in run_forked(jobs, limits):
            if code == KILLED:
                kills[test.partition(" (")[0]] += 1
            self.tell(work, tried[place][0], code, test)

    def _covering(self, work: Work, lines: set[int]) -> list[_Measured]:
        """The tests that run one of some lines; without lines, all that run any of the module."""
        own = [(test, test.lines.get(str(work.path), set())) for test in self._tests if test.item.path in work.tests]
        return [test for test, ran in own if (lines & ran if lines else ran)]

    # ---- in a child: with a change ----

    def _trial(self, work: Work, mutant: Mutant, tests: Sequence[_Measured], limit: float) -> tuple[int, str]:
        if not replace(sys.modules[work.name], work.source, mutant.source):
            return NOT_APPLICABLE, ""
        cpu = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime + limit) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
        items = [test.item for test in tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return KILLED, self._failed
        return SURVIVED, ""


def _ordered(tests: Sequence[_Measured], kills: Counter[str]) -> list[_Measured]:
    """Those that killed before, then a case of each function before further cases, the quick ones first."""
    return sorted(tests, key=lambda test: (-kills[test.item.nodeid], test.place, test.seconds))


def _within_budget(tests: Sequence[_Measured]) -> list[_Measured]:
    spent = 0.0
    chosen: list[_Measured] = []
    for test in tests:
        if not chosen or spent + test.seconds <= BUDGET:
            spent += test.seconds
            chosen.append(test)
    return chosen


class _Spans:
    """Where the statements and functions of a module are."""

    def __init__(self, source: str) -> None:
        self._nodes = list(ast.walk(ast.parse(source)))
        self._statements = list(_statements(self._nodes))
        self._bodies = [
            (node.body[0].lineno, node.end_lineno or 0)
            for node in self._nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]

    def lines_of(self, line: int) -> set[int]:
        """The lines that run where a line matters: of the smallest statement that holds it, or of the users of a
        constant; none if it is not known.
        """
        if not self._in_function(line):
            return self._uses_of(self._constants(line))
        return self._statement(line)

    def _in_function(self, line: int) -> bool:
        return any(first <= line <= last for first, last in self._bodies)

    def _statement(self, line: int) -> set[int]:
        holding = [(first, last) for first, last in self._statements if first <= line <= last]
        first, last = min(holding, key=lambda span: span[1] - span[0], default=(line, line))
        return set(range(first, last + 1))

    def _constants(self, line: int) -> set[str]:
        """The names that are given a value at a line."""
        return {
            node.id
            for node in self._nodes
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.lineno in self._statement(line)
        }

    def _uses_of(self, names: set[str]) -> set[int]:
        used = [n.lineno for n in self._nodes if isinstance(n, ast.Name) and n.id in names]
        return {each for line in used if self._in_function(line) for each in self._statement(line)}


def _statements(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, int]]:
    """First and last line of each statement; of a compound one, of its head."""
    for node in nodes:
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
            yield node.lineno, last
